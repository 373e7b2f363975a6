//! Images per second: decoded, prepared, and loaded as training and evaluation load them.

use std::collections::HashSet;
use std::fmt::Write;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use promptsrc_datasets::{
    Augment, Batches, DataError, DataSource, Dataset, EvalLoader, Item, LoaderOptions, Part,
    Presence, Stream, TrainLoader,
};
use promptsrc_image::{Image, ImageError, Limits, Preprocess, decode};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Serialize;

use crate::median::median;

/// Most bytes of decoded images that are held at once.
const MOST_BYTES: usize = 4 << 30;
/// Images per training batch, as in the reference.
const TRAIN_BATCH: usize = 4;
/// Images per test batch, as in the reference.
const EVAL_BATCH: usize = 100;
/// Seed of crops and orders.
const SEED: u64 = 1;

/// Which images, and how.
#[derive(clap::Args)]
pub struct Options {
    /// Folder, split file or list of a data set: what `promptsrc train --data` takes.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Split file or list, where it is not found by --data alone.
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    /// Images to measure with, taken evenly from the whole data set. Their decoded bytes are held
    /// in memory.
    #[arg(long, value_name = "N", default_value = "300")]
    images: NonZeroUsize,
    /// Threads [default: all cores].
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// Pixels of each side of the prepared image.
    #[arg(long, value_name = "PIXELS", default_value_t = 224)]
    resolution: u32,
    /// Passes over all images, of which the median counts.
    #[arg(long, value_name = "N", default_value = "5")]
    repetitions: NonZeroUsize,
    /// Prints one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// The data set cannot be read, or an image in a loader.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An image cannot be decoded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// None of the images that the data set lists exists.
    #[error("{}: none of the {listed} images that it lists exists; nothing to measure", data.display())]
    NoImages {
        /// The data set.
        data: PathBuf,
        /// How many it lists.
        listed: usize,
    },
    /// The decoded images are more than should be held.
    #[error(
        "{}: {taken} of the {wanted} images take more than {} GiB decoded; give a smaller --images",
        data.display(), MOST_BYTES >> 30
    )]
    TooLarge {
        /// The data set.
        data: PathBuf,
        /// Images decoded so far.
        taken: usize,
        /// Images asked for.
        wanted: usize,
    },
    /// Threads could not be started.
    #[error("--threads {threads}: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Rayon's message.
        reason: String,
    },
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    images: usize,
    /// Millions of pixels per image, on average.
    mean_megapixels: f64,
    resolution: u32,
    repetitions: usize,
    /// For one thread, and for as many as were asked for.
    by_threads: Vec<Speeds>,
}

/// Speeds with a number of threads.
#[derive(Debug, Serialize)]
struct Speeds {
    threads: usize,
    /// A file's bytes, in memory, to RGB.
    decode: Speed,
    /// A decoded image to the input for evaluation: resized, cut, normalised.
    prepare_evaluation: Speed,
    /// A decoded image to the input for training: cut at random, resized, mirrored, normalised.
    prepare_training: Speed,
    /// All of this through the loader, files read included: batches for evaluation.
    load_evaluation: Speed,
    /// The same for training.
    load_training: Speed,
}

/// The median speed of some work.
#[derive(Clone, Copy, Debug, Serialize)]
struct Speed {
    pictures_per_second: f64,
    /// Of the source's pixels.
    megapixels_per_second: f64,
}

/// Measures, and prints what was found.
///
/// # Errors
/// Any [`LoaderError`].
pub fn run(options: &Options) -> Result<(), LoaderError> {
    let report = measure(options)?;
    if options.json {
        // A struct of numbers and strings always has a JSON form.
        println!("{}", serde_json::json!(report));
    } else {
        print!("{}", table(&report));
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Report, LoaderError> {
    let (dataset, _) = DataSource {
        split: options.split.clone(),
        ..DataSource::new(&options.data)
    }
    .read()?;
    let items = choose(&dataset, options.images.get());
    if items.is_empty() {
        return Err(LoaderError::NoImages {
            data: options.data.clone(),
            listed: Part::ALL.iter().map(|p| dataset.part(*p).len()).sum(),
        });
    }
    let sample = Sample::read(&items, &options.data)?;
    let threads = match options.threads {
        Some(threads) => threads.get(),
        None => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    let counts = if threads == 1 {
        vec![1]
    } else {
        vec![1, threads]
    };
    Ok(Report {
        data: dataset.name.clone(),
        images: items.len(),
        mean_megapixels: sample.mean_megapixels(),
        resolution: options.resolution,
        repetitions: options.repetitions.get(),
        by_threads: counts
            .into_iter()
            .map(|threads| speeds(&items, &sample, threads, options))
            .collect::<Result<_, _>>()?,
    })
}

/// At most `count` different images that exist, evenly from all parts.
fn choose(dataset: &Dataset, count: usize) -> Vec<Item> {
    let mut seen = HashSet::new();
    let there: Vec<&Item> = Part::ALL
        .iter()
        .flat_map(|part| dataset.part(*part))
        .filter(|item| item.presence == Presence::Present && seen.insert(&item.path))
        .collect();
    let count = count.min(there.len());
    (0..count)
        .filter_map(|i| there.get(i * there.len() / count))
        .map(|item| (*item).clone())
        .collect()
}

/// The images in memory, as files and decoded.
struct Sample {
    files: Vec<Vec<u8>>,
    images: Vec<Image>,
}

impl Sample {
    /// Reads and decodes all of them, which also warms the system's cache for the loaders.
    fn read(items: &[Item], data: &Path) -> Result<Self, LoaderError> {
        let (mut files, mut images) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for item in items {
            // Checks size and kind of the file before it is read, and names it in errors.
            let image = item.image(&Limits::default())?;
            let file = std::fs::read(&item.path).map_err(|reason| DataError::Read {
                path: item.path.clone(),
                reason,
            })?;
            bytes += file.len() + image.pixels().len();
            if bytes > MOST_BYTES {
                return Err(LoaderError::TooLarge {
                    data: data.to_path_buf(),
                    taken: images.len() + 1,
                    wanted: items.len(),
                });
            }
            files.push(file);
            images.push(image);
        }
        Ok(Self { files, images })
    }

    fn mean_megapixels(&self) -> f64 {
        let pixels: usize = self.images.iter().map(|p| p.pixels().len() / 3).sum();
        pixels as f64 / 1e6 / self.images.len() as f64
    }
}

fn speeds(
    items: &[Item],
    sample: &Sample,
    threads: usize,
    options: &Options,
) -> Result<Speeds, LoaderError> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| LoaderError::Threads {
            threads,
            reason: e.to_string(),
        })?;
    let preprocess = Preprocess::clip(options.resolution);
    let augment = Augment::default();
    let loading = |batch_size| LoaderOptions {
        threads,
        ..LoaderOptions::new(batch_size)
    };
    let evaluation = EvalLoader::new(items.to_vec(), preprocess, loading(EVAL_BATCH))?;
    let training = TrainLoader::new(
        items.to_vec(),
        preprocess,
        augment,
        SEED,
        loading(TRAIN_BATCH),
    )?;
    let megapixels = sample.mean_megapixels();
    let time = |pass: &mut dyn FnMut(u64) -> Result<usize, LoaderError>| {
        Speed::measure(options.repetitions.get(), megapixels, pass)
    };
    Ok(Speeds {
        threads,
        decode: time(&mut |_| {
            each(&pool, &sample.files, |_, file| {
                decode(file, &Limits::default())
            })
        })?,
        prepare_evaluation: time(&mut |_| {
            each(&pool, &sample.images, |_, image| preprocess.apply(image))
        })?,
        prepare_training: time(&mut |epoch| {
            each(&pool, &sample.images, |index, image| {
                let mut random = Stream::new(SEED, epoch, index as u64);
                let (crop, flip) = augment.draw(image.width(), image.height(), &mut random);
                preprocess.apply_crop(image, crop, flip)
            })
        })?,
        load_evaluation: time(&mut |_| drain(evaluation.batches()))?,
        load_training: time(&mut |epoch| drain(training.epoch(epoch)))?,
    })
}

/// Does the work on each input, on the threads of the pool; how many there were.
fn each<I: Sync, O: Send>(
    pool: &ThreadPool,
    inputs: &[I],
    work: impl Fn(usize, &I) -> Result<O, ImageError> + Sync,
) -> Result<usize, LoaderError> {
    pool.install(|| {
        inputs
            .par_iter()
            .enumerate()
            .try_for_each(|(index, input)| {
                black_box(work(index, input)?);
                Ok::<(), ImageError>(())
            })
    })?;
    Ok(inputs.len())
}

/// Takes all batches as they come; how many images they held.
fn drain(batches: Batches) -> Result<usize, LoaderError> {
    let mut images = 0;
    for batch in batches {
        images += black_box(batch?).n;
    }
    Ok(images)
}

impl Speed {
    /// The median over the repetitions of a pass, which says how many images it handled. A pass
    /// before them does not count.
    fn measure(
        repetitions: usize,
        megapixels: f64,
        pass: &mut dyn FnMut(u64) -> Result<usize, LoaderError>,
    ) -> Result<Self, LoaderError> {
        pass(0)?;
        let mut speeds = Vec::with_capacity(repetitions);
        for repetition in 1..=repetitions as u64 {
            let start = Instant::now();
            let images = pass(repetition)?;
            speeds.push(images as f64 / start.elapsed().as_secs_f64());
        }
        let pictures_per_second = median(speeds);
        Ok(Self {
            pictures_per_second,
            megapixels_per_second: pictures_per_second * megapixels,
        })
    }
}

fn table(report: &Report) -> String {
    let mut text = format!(
        "{}: {} images of {:.3} megapixels on average, prepared at {} x {}; medians of {} passes\n\n",
        report.data,
        report.images,
        report.mean_megapixels,
        report.resolution,
        report.resolution,
        report.repetitions,
    );
    for speeds in &report.by_threads {
        let plural = if speeds.threads == 1 { "" } else { "s" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<40}{:>12}{:>14}",
            format!("{} thread{plural}", speeds.threads),
            "images/s",
            "megapixels/s",
        );
        for (what, speed) in [
            ("decode", speeds.decode),
            ("prepare for evaluation", speeds.prepare_evaluation),
            ("prepare for training", speeds.prepare_training),
            ("load for evaluation, all of it", speeds.load_evaluation),
            ("load for training, all of it", speeds.load_training),
        ] {
            let _ = writeln!(
                text,
                "  {what:<38}{:>12.0}{:>14.1}",
                speed.pictures_per_second, speed.megapixels_per_second,
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_chosen_evenly_once_each_and_only_those_that_are_there() {
        let mut dataset = Dataset {
            train: (0..90).map(|i| Item::new(format!("{i}.jpg"), 0)).collect(),
            test: (0..10).map(|i| Item::new(format!("t{i}.jpg"), 0)).collect(),
            ..Dataset::default()
        };
        dataset.val = dataset.train.clone();
        dataset.train.push(Item {
            presence: Presence::Missing,
            ..Item::new("lost.jpg", 0)
        });
        let some = choose(&dataset, 10);
        assert_eq!(some.len(), 10);
        assert_eq!(
            some.iter().filter(|i| i.path.starts_with("t0.jpg")).count(),
            1
        );
        assert_eq!(choose(&dataset, 1000).len(), 100);
        assert!(choose(&Dataset::default(), 5).is_empty());
    }
}
