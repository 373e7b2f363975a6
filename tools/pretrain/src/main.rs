//! Pretrains the mini CLIP on the stream of captioned images of the built-in world:
//! `cargo run --release -p promptsrc-pretrain -- --out DIR`.
//!
//! Symmetric contrastive loss with a learned temperature, AdamW, warm-up and cosine, from a fixed
//! seed. The same options give the same weights on the same kind of machine, whatever the number of
//! threads and however often the run was stopped: started again with the same options it goes
//! on from its last saved state.

mod adamw;
mod contrastive;
mod files;
mod parameters;
mod trainer;
mod vocabulary;
mod zero_shot;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use promptsrc_clip::weights::{Activation, TextConfig, VisionConfig};
use promptsrc_clip::{ClipConfig, ClipWeights};
use serde::{Deserialize, Serialize};

use crate::adamw::{AdamW, Moments};
use crate::trainer::{PART, State, Trainer};
use crate::vocabulary::{CONTEXT_LENGTH, Vocabulary};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// Pretrains the mini CLIP on the built-in world. Defaults: the recipe of the weights that
/// promptsrc carries.
#[derive(Parser)]
struct Options {
    /// Folder for state.safetensors, mini.safetensors and log.jsonl.
    #[arg(long)]
    out: PathBuf,
    /// Threads [default: all cores]; the result does not depend on it.
    #[arg(long)]
    threads: Option<usize>,
    /// Steps between two saved states.
    #[arg(long, default_value_t = 500)]
    save_every: usize,
    /// Stop after this step, as if killed.
    #[arg(long)]
    stop_at: Option<usize>,
    #[command(flatten)]
    recipe: Recipe,
}

/// What determines the weights.
#[derive(clap::Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Recipe {
    /// Seed of the initial weights and of the stream of images.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps.
    #[arg(long, default_value_t = 9000)]
    steps: usize,
    /// Pairs a step, a multiple of 16.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Greatest learning rate.
    #[arg(long, default_value_t = 4e-4)]
    lr: f64,
    /// Weight decay.
    #[arg(long, default_value_t = 0.05)]
    weight_decay: f64,
    /// Steps of warm-up.
    #[arg(long, default_value_t = 100)]
    warmup: usize,
    /// Width of the features.
    #[arg(long, default_value_t = 64)]
    embed_dim: usize,
    /// Width of the image tower, a multiple of 64.
    #[arg(long, default_value_t = 128)]
    vision_width: usize,
    /// Blocks of the image tower.
    #[arg(long, default_value_t = 4)]
    vision_layers: usize,
    /// Side of a patch, in pixels; a divisor of 48.
    #[arg(long, default_value_t = 8)]
    patch: usize,
    /// Width of the text tower, a multiple of 64.
    #[arg(long, default_value_t = 64)]
    text_width: usize,
    /// Blocks of the text tower.
    #[arg(long, default_value_t = 3)]
    text_layers: usize,
}

impl Recipe {
    fn clip(&self, vocab_size: usize) -> ClipConfig {
        ClipConfig {
            embed_dim: self.embed_dim,
            vision: VisionConfig {
                width: self.vision_width,
                layers: self.vision_layers,
                heads: self.vision_width / 64,
                mlp_width: 4 * self.vision_width,
                patch_size: self.patch,
                resolution: promptsrc_world::SIDE as usize,
            },
            text: TextConfig {
                width: self.text_width,
                layers: self.text_layers,
                heads: self.text_width / 64,
                mlp_width: 4 * self.text_width,
                context_length: CONTEXT_LENGTH,
                vocab_size,
            },
            activation: Activation::QuickGelu,
            layer_norm_eps: ClipConfig::LAYER_NORM_EPS,
            mean: ClipConfig::MEAN,
            std: ClipConfig::STD,
        }
    }

    fn check(&self) -> Result<(), String> {
        let side = promptsrc_world::SIDE as usize;
        if self.batch == 0 || !self.batch.is_multiple_of(PART) {
            return Err(format!("--batch must be a multiple of {PART}"));
        }
        if self.patch == 0 || !side.is_multiple_of(self.patch) {
            return Err(format!("--patch must divide {side}"));
        }
        for (option, width) in [
            ("--vision-width", self.vision_width),
            ("--text-width", self.text_width),
        ] {
            if width == 0 || !width.is_multiple_of(64) {
                return Err(format!("{option} must be a multiple of 64"));
            }
        }
        match self.vision_layers.min(self.text_layers).min(self.embed_dim) {
            0 => Err("a tower needs a layer and the features a width".into()),
            _ => Ok(()),
        }
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let recipe = &options.recipe;
    recipe.check()?;
    std::fs::create_dir_all(&options.out)?;
    let state_path = options.out.join("state.safetensors");
    let clip_path = options.out.join("mini.safetensors");

    let vocabulary = Vocabulary::of_world(recipe.seed, 100_000)?;
    let config = recipe.clip(vocabulary.len());
    let state = if state_path.exists() {
        let (state, of): (State, Recipe) = files::load_state(&state_path)?;
        if of != *recipe {
            return Err(
                format!("{} was made by other options: {of:?}", state_path.display()).into(),
            );
        }
        state
    } else {
        State {
            step: 0,
            weights: parameters::initial(&config, recipe.seed),
            moments: Moments::default(),
        }
    };
    let threads = match options.threads {
        Some(n) => n.max(1),
        None => std::thread::available_parallelism()?.get(),
    };
    let worker = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let mut trainer = Trainer {
        config,
        vocabulary,
        adam: AdamW {
            lr: recipe.lr,
            weight_decay: recipe.weight_decay,
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-6,
            clip_norm: 1.0,
            warmup_steps: recipe.warmup,
            steps: recipe.steps,
        },
        batch: recipe.batch,
        seed: recipe.seed,
        workers: (0..threads).map(worker).collect::<Result<_, _>>()?,
        device: Default::default(),
        state,
    };
    let values: usize = trainer.state.weights.values().map(Vec::len).sum();
    eprintln!(
        "{values} weights, {} tokens, {} steps of {} pairs, {threads} threads",
        trainer.vocabulary.len(),
        recipe.steps,
        recipe.batch
    );

    let log = options.out.join("log.jsonl");
    let mut began = Instant::now();
    let mut since = trainer.state.step;
    let last = options.stop_at.unwrap_or(recipe.steps).min(recipe.steps);
    while trainer.state.step < last {
        let report = trainer.step()?;
        let step = trainer.state.step;
        if step.is_multiple_of(20) {
            let pairs = (step - since) * recipe.batch;
            let rate = pairs as f64 / began.elapsed().as_secs_f64();
            let line = serde_json::json!({
                "step": step, "pairs_per_second": rate.round(), "report": report,
            });
            append(&log, &line)?;
            (began, since) = (Instant::now(), step);
        }
        if step.is_multiple_of(options.save_every) || step == recipe.steps {
            files::save_state(&state_path, &trainer.state, recipe)?;
            let Trainer {
                config,
                vocabulary,
                state,
                ..
            } = &trainer;
            files::export(&clip_path, config, &state.weights, vocabulary)?;
            let accuracy = zero_shot::measure(&ClipWeights::open(&clip_path)?, threads)?;
            append(
                &log,
                &serde_json::json!({"step": step, "zero_shot": accuracy}),
            )?;
            (began, since) = (Instant::now(), step);
        }
    }
    Ok(())
}

fn append(log: &Path, line: &serde_json::Value) -> Result<(), Failure> {
    eprintln!("{line}");
    let mut file = OpenOptions::new().create(true).append(true).open(log)?;
    writeln!(file, "{line}")?;
    Ok(())
}
