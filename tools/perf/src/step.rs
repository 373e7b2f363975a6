//! Seconds per training step of a random ViT-B/16, beside what the machine could do.

use std::num::NonZeroUsize;
use std::time::Instant;

use promptsrc::Training;
use promptsrc_clip::ClipModel;
use promptsrc_goldens::noise;
use serde::Serialize;

use crate::class_names::class_names;
use crate::common::Computing;
use crate::failure::Failure;
use crate::limit::Limit;
use crate::measured_method::MeasuredMethod;
use crate::median::median;
use crate::process::{peak_rss_mib, reset_peak_rss};
use crate::text_rows::TextRows;
use crate::{needed_work, random_clip};

/// What is trained.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    method: MeasuredMethod,
    /// Classes.
    #[arg(long, value_name = "N", default_value = "100")]
    classes: NonZeroUsize,
    /// Tokens of each class name.
    #[arg(long, value_name = "T", default_value = "3")]
    name_tokens: NonZeroUsize,
    /// Steps to measure, after one to warm up.
    #[arg(long, value_name = "N", default_value = "5")]
    steps: NonZeroUsize,
    #[command(flatten)]
    computing: Computing,
}

#[derive(Serialize)]
struct Figures {
    method: String,
    class_specific: bool,
    class_position: &'static str,
    classes: usize,
    name_tokens: usize,
    batch: usize,
    precision: &'static str,
    threads: usize,
    /// Learned values.
    parameters: usize,
    /// Of the first step.
    first_loss: f32,
    step_seconds: f64,
    fastest_seconds: f64,
    #[serde(flatten)]
    limit: Limit,
    peak_rss_mib: Option<u64>,
}

/// Runs and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let precision = options.computing.precision()?;
    let config = options.method.config()?;
    let names = class_names(options.classes.get(), options.name_tokens.get())?;
    let weights = random_clip::weights()?;
    let figures = options
        .computing
        .pool()?
        .install(|| -> Result<_, Failure> {
            let clip = ClipModel::with_precision(&weights, &Default::default(), precision)?;
            // The file's pages are not part of a step.
            drop(weights);
            let batch = config.batch_size;
            let texts = TextRows::of(&config, &names, clip.text().context_length())?;
            let needed_gflop = needed_work::step_gflop(clip.config(), &config, &texts);
            let side = clip.config().vision.resolution;
            let mut training = Training::new(&clip, config.clone(), &names)?;
            let parameters = training.state().parameters.iter();
            let parameters = parameters.map(|p| p.values.len()).sum();
            let labels: Vec<usize> = (0..batch).map(|i| i % names.len()).collect();
            let mut step = || -> Result<(f64, f32), Failure> {
                let images = noise(7, batch * 3 * side * side, 1.0);
                let start = Instant::now();
                let losses = training.step(images, &labels)?;
                Ok((start.elapsed().as_secs_f64(), losses.total))
            };
            reset_peak_rss();
            let (_, first_loss) = step()?;
            let seconds = (0..options.steps.get())
                .map(|_| step().map(|(seconds, _)| seconds))
                .collect::<Result<Vec<_>, _>>()?;
            let peak_rss_mib = peak_rss_mib();
            let fastest_seconds = seconds.iter().copied().fold(f64::MAX, f64::min);
            let step_seconds = median(seconds);
            Ok(Figures {
                class_specific: config.prompts.class_specific,
                class_position: config.prompts.class_position.name(),
                method: config.method,
                classes: names.len(),
                name_tokens: options.name_tokens.get(),
                batch,
                precision: precision.name(),
                threads: rayon::current_num_threads(),
                parameters,
                first_loss,
                step_seconds,
                fastest_seconds,
                limit: Limit::of(needed_gflop, step_seconds, clip.config(), precision),
                peak_rss_mib,
            })
        })?;
    if options.computing.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    println!(
        "{}, {} classes of {} tokens, batch {}, {}, {} threads\n\
         per step          {:.3} s (fastest {:.3} s)\n\
         needed            {:.0} GFLOP: {:.0} GFLOP/s\n\
         products alone    {:.0} GFLOP/s, of which a step reaches {:.2}",
        figures.method,
        figures.classes,
        figures.name_tokens,
        figures.batch,
        figures.precision,
        figures.threads,
        figures.step_seconds,
        figures.fastest_seconds,
        figures.limit.needed_gflop,
        figures.limit.gflops,
        figures.limit.gemm_ceiling_gflops,
        figures.limit.fraction_of_ceiling,
    );
    if let Some(mib) = figures.peak_rss_mib {
        println!("peak memory       {mib} MiB");
    }
    Ok(())
}
