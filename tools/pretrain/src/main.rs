//! Pretrains the mini CLIP on the stream of captioned images of the built-in world:
//! `cargo run --release -p promptsrc-pretrain -- --out DIR`.
//!
//! Symmetric contrastive loss with a learned temperature, AdamW, warm-up and cosine, from a fixed
//! seed. The same options give the same weights on the same kind of machine, whatever the number of
//! threads and however often the run was stopped: started again with the same options, it continues
//! from its last saved state.

mod adamw;
mod contrastive;
mod files;
mod parameters;
mod recipe;
mod trainer;
mod vocabulary;
mod zero_shot;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use promptsrc_clip::ClipWeights;

use crate::recipe::Recipe;
use crate::trainer::{State, Trainer};
use crate::vocabulary::Vocabulary;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// Pretrains the mini CLIP on the built-in world. The defaults are the recipe of the weights that
/// are built into promptsrc.
#[derive(Parser)]
struct Options {
    /// Folder for state.safetensors, mini.safetensors and log.jsonl.
    #[arg(long)]
    out: PathBuf,
    /// Threads [default: all cores]; the result does not depend on it.
    #[arg(long)]
    threads: Option<usize>,
    /// Number of steps between two saved states.
    #[arg(long, default_value_t = 500)]
    save_every: usize,
    /// Stop after this step, as if the program had been killed.
    #[arg(long)]
    stop_at: Option<usize>,
    #[command(flatten)]
    recipe: Recipe,
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
    let state = if state_path.exists() {
        let (state, of): (State, Recipe) = files::load_state(&state_path)?;
        if of != *recipe {
            return Err(format!(
                "{} was made with other options: {of:?}",
                state_path.display()
            )
            .into());
        }
        state
    } else {
        State::initial(recipe, vocabulary.len())
    };
    let threads = match options.threads {
        Some(n) => n.max(1),
        None => std::thread::available_parallelism()?.get(),
    };
    let mut trainer = Trainer::new(recipe, vocabulary, state, threads)?;
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
