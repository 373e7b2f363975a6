//! Seconds from a ViT-B/16 file on a warm disk to the first prediction.

use std::num::NonZeroUsize;
use std::time::Instant;

use promptsrc::Classifier;
use promptsrc_clip::{ClipModel, ClipWeights, templates};
use promptsrc_goldens::noise;
use serde::Serialize;

use crate::common::Computing;
use crate::failure::Failure;
use crate::median::median;
use crate::process::peak_rss_mib;
use crate::random_clip;

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Starts to measure, after one to warm up.
    #[arg(long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    #[command(flatten)]
    computing: Computing,
}

#[derive(Serialize)]
struct Figures {
    precision: &'static str,
    threads: usize,
    startup_seconds: f64,
    load_seconds: f64,
    class_features_seconds: f64,
    first_picture_seconds: f64,
    peak_rss_mib: Option<u64>,
}

/// Runs and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let precision = options.computing.precision()?;
    let (_folder, path) = random_clip::file()?;
    let names = ["cat", "dog", "bird", "car", "ship"];
    let figures = options
        .computing
        .pool()?
        .install(|| -> Result<_, Failure> {
            let once = || -> Result<[f64; 4], Failure> {
                let start = Instant::now();
                let weights = ClipWeights::open(&path)?;
                let clip = ClipModel::with_precision(&weights, &Default::default(), precision)?;
                let loaded = start.elapsed().as_secs_f64();
                let classifier = Classifier::zero_shot(&clip, &names, &[templates::PHOTO])?;
                let classes = start.elapsed().as_secs_f64();
                let side = clip.config().vision.resolution;
                let image = noise(7, 3 * side * side, 1.0);
                std::hint::black_box(classifier.probabilities(image, 1));
                let all = start.elapsed().as_secs_f64();
                Ok([all, loaded, classes - loaded, all - classes])
            };
            once()?;
            let runs = (0..options.repetitions.get())
                .map(|_| once())
                .collect::<Result<Vec<_>, _>>()?;
            let of = |i: usize| median(runs.iter().map(|r| r[i]).collect());
            Ok(Figures {
                precision: precision.name(),
                threads: rayon::current_num_threads(),
                startup_seconds: of(0),
                load_seconds: of(1),
                class_features_seconds: of(2),
                first_picture_seconds: of(3),
                peak_rss_mib: peak_rss_mib(),
            })
        })?;
    if options.computing.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    println!(
        "{}, {} threads: {:.2} s to the first prediction: {:.2} s to load, {:.3} s for {} class \
         features, {:.3} s for the image",
        figures.precision,
        figures.threads,
        figures.startup_seconds,
        figures.load_seconds,
        figures.class_features_seconds,
        names.len(),
        figures.first_picture_seconds,
    );
    Ok(())
}
