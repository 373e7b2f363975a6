//! Images per second through the prompted image tower of a random ViT-B/16.

use std::num::NonZeroUsize;
use std::time::Instant;

use promptsrc::Classifier;
use promptsrc::methods::prompt_model;
use promptsrc_clip::ClipModel;
use promptsrc_goldens::noise;
use serde::Serialize;

use crate::common::Computing;
use crate::failure::Failure;
use crate::limit::Limit;
use crate::measured_method::published;
use crate::median::median;
use crate::process::{peak_rss_mib, reset_peak_rss};
use crate::{needed_work, random_clip};

/// What is encoded.
#[derive(clap::Args)]
pub struct Options {
    /// Images per batch.
    #[arg(long, value_name = "B", default_value = "20")]
    batch: NonZeroUsize,
    /// Batches to measure, after one to warm up.
    #[arg(long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    #[command(flatten)]
    computing: Computing,
}

#[derive(Serialize)]
struct Figures {
    batch: usize,
    precision: &'static str,
    threads: usize,
    seconds_per_picture: f64,
    pictures_per_second: f64,
    #[serde(flatten)]
    limit: Limit,
    peak_rss_mib: Option<u64>,
}

/// Runs and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let precision = options.computing.precision()?;
    let weights = random_clip::weights()?;
    let figures = options
        .computing
        .pool()?
        .install(|| -> Result<_, Failure> {
            let clip = ClipModel::with_precision(&weights, &Default::default(), precision)?;
            drop(weights);
            let batch = options.batch.get();
            let config = published("promptsrc")?;
            let names = ["cat", "dog", "bird"];
            let parameters = prompt_model(&config)?.initial(&clip, names.len(), 1)?;
            let classifier = Classifier::prompted(&clip, &config, &parameters, &names)?;
            let side = clip.config().vision.resolution;
            let once = || {
                let images = noise(7, batch * 3 * side * side, 1.0);
                let start = Instant::now();
                std::hint::black_box(classifier.logits(images, batch));
                start.elapsed().as_secs_f64()
            };
            reset_peak_rss();
            once();
            let seconds = median((0..options.repetitions.get()).map(|_| once()).collect());
            let peak_rss_mib = peak_rss_mib();
            let needed_gflop = needed_work::encode_gflop(clip.config(), &config, batch);
            Ok(Figures {
                batch,
                precision: precision.name(),
                threads: rayon::current_num_threads(),
                seconds_per_picture: seconds / batch as f64,
                pictures_per_second: batch as f64 / seconds,
                limit: Limit::of(needed_gflop, seconds, clip.config(), precision),
                peak_rss_mib,
            })
        })?;
    if options.computing.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    println!(
        "batches of {} images, {}, {} threads: {:.1} images/s ({:.3} s per image)\n\
         {:.0} GFLOP/s of the {:.0} GFLOP/s that products alone reach: {:.2}",
        figures.batch,
        figures.precision,
        figures.threads,
        figures.pictures_per_second,
        figures.seconds_per_picture,
        figures.limit.gflops,
        figures.limit.gemm_ceiling_gflops,
        figures.limit.fraction_of_ceiling,
    );
    Ok(())
}
