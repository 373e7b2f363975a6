//! Seconds per training step of a random ViT-B/16, beside what the machine could do.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Instant;

use promptsrc::{Preset, TrainConfig, Training};
use promptsrc_clip::{ClipModel, Tokenizer};
use promptsrc_goldens::noise;
use serde::Serialize;

use crate::common::Computing;
use crate::failure::Failure;
use crate::limit::Limit;
use crate::median::median;
use crate::process::{peak_rss_mib, reset_peak_rss};
use crate::{needed_work, random_clip};

/// What is trained.
#[derive(clap::Args)]
pub struct Options {
    /// Classes.
    #[arg(long, value_name = "N", default_value = "100")]
    classes: NonZeroUsize,
    /// Tokens of each class name.
    #[arg(long, value_name = "T", default_value = "3")]
    name_tokens: NonZeroUsize,
    /// Images per step.
    #[arg(long, value_name = "B", default_value = "4")]
    batch: NonZeroUsize,
    /// Steps to measure, after one to warm up.
    #[arg(long, value_name = "N", default_value = "5")]
    steps: NonZeroUsize,
    #[command(flatten)]
    computing: Computing,
}

#[derive(Serialize)]
struct Figures {
    classes: usize,
    name_tokens: usize,
    batch: usize,
    precision: &'static str,
    threads: usize,
    step_seconds: f64,
    fastest_seconds: f64,
    #[serde(flatten)]
    limit: Limit,
    peak_rss_mib: Option<u64>,
}

/// The paper's configuration for base-to-novel generalisation, with one template: the frozen text
/// features are not part of a step.
pub fn config(batch: usize) -> TrainConfig {
    let mut config = TrainConfig::preset(Preset::BaseToNovel);
    config.batch_size = batch;
    config.templates.truncate(1);
    config
}

/// Runs and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let precision = options.computing.precision()?;
    let names = names(options.classes.get(), options.name_tokens.get())?;
    let weights = random_clip::weights()?;
    let figures = options
        .computing
        .pool()?
        .install(|| -> Result<_, Failure> {
            let clip = ClipModel::with_precision(&weights, &Default::default(), precision)?;
            // The file's pages are not part of a step.
            drop(weights);
            let batch = options.batch.get();
            let config = config(batch);
            let own = vec![options.name_tokens.get() + 2; names.len()];
            let needed_gflop = needed_work::step_gflop(clip.config(), &config, batch, &own);
            let side = clip.config().vision.resolution;
            let mut training = Training::new(&clip, config, &names)?;
            let labels: Vec<usize> = (0..batch).map(|i| i % names.len()).collect();
            let mut step = || -> Result<f64, Failure> {
                let images = noise(7, batch * 3 * side * side, 1.0);
                let start = Instant::now();
                training.step(images, &labels)?;
                Ok(start.elapsed().as_secs_f64())
            };
            reset_peak_rss();
            step()?;
            let seconds = (0..options.steps.get())
                .map(|_| step())
                .collect::<Result<Vec<_>, _>>()?;
            let peak_rss_mib = peak_rss_mib();
            let fastest_seconds = seconds.iter().copied().fold(f64::MAX, f64::min);
            let step_seconds = median(seconds);
            Ok(Figures {
                classes: names.len(),
                name_tokens: options.name_tokens.get(),
                batch,
                precision: precision.name(),
                threads: rayon::current_num_threads(),
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
        "{} classes of {} tokens, batch {}, {}, {} threads\n\
         per step          {:.3} s (fastest {:.3} s)\n\
         needed            {:.0} GFLOP: {:.0} GFLOP/s\n\
         products alone    {:.0} GFLOP/s, of which a step reaches {:.2}",
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

/// So many different names of so many tokens each.
fn names(classes: usize, tokens: usize) -> Result<Vec<String>, Failure> {
    let tokenizer = Tokenizer::clip();
    let mut words = Vec::new();
    let mut first = HashMap::new();
    let letters = 'a'..='z';
    for (a, b, c) in letters.clone().flat_map(|a| {
        let letters = letters.clone();
        letters
            .clone()
            .flat_map(move |b| letters.clone().map(move |c| (a, b, c)))
    }) {
        let word = format!("{a}{b}{c}");
        let ids = tokenizer.tokenize(&word, 77, false)?;
        if ids.len() == 3 && first.insert(ids[1], ()).is_none() {
            words.push(word);
        }
    }
    if words.is_empty()
        || classes > words.len() * words.len()
        || classes > words.len() && tokens < 2
    {
        return Err(format!("{classes} different names of {tokens} tokens cannot be made; give fewer --classes or more --name-tokens").into());
    }
    Ok((0..classes)
        .map(|i| {
            let at = |k: usize| match k {
                0 => i % words.len(),
                1 => (i / words.len() + i) % words.len(),
                _ => (i * 7 + k * 131) % words.len(),
            };
            let parts: Vec<&str> = (0..tokens).map(|k| words[at(k)].as_str()).collect();
            parts.join(" ")
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_as_many_tokens_as_asked() {
        for (classes, tokens) in [(5, 1), (1500, 3)] {
            let names = names(classes, tokens).expect("names");
            let different: std::collections::HashSet<_> = names.iter().collect();
            assert_eq!(different.len(), classes);
            for name in &names {
                let ids = Tokenizer::clip().tokenize(name, 77, false).expect("short");
                assert_eq!(ids.len(), tokens + 2, "{name}");
            }
        }
    }
}
