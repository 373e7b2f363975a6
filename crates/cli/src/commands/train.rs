//! `promptsrc train`: learns an adapter from a few labelled images.

mod progress;

use promptsrc::training::TrainingError;
use promptsrc::{Adapter, Event, RunSpec, TrainError, TrainingImages, run_folder};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{DataFiles, TrainSettings, config_usage, decoding_threads};

use progress::TrainProgress;

#[derive(Serialize)]
struct Summary {
    out: String,
    adapter: String,
    method: String,
    classes: usize,
    images: usize,
    parameters: usize,
    epochs: usize,
    steps_per_epoch: usize,
    seconds: f64,
    /// Mean losses of the last epoch; `None` if this process did not train an epoch.
    losses: Option<promptsrc::losses::LossValues>,
}

pub fn run(settings: &TrainSettings, printer: &Printer) -> Result<(), Failure> {
    let mut progress = TrainProgress::new(printer);
    let adapter = learn(settings, printer, &mut |event| progress.show(event))?;
    let metric = |name: &str| adapter.meta.metrics.get(name).copied().unwrap_or(0.0) as usize;
    let summary = Summary {
        out: settings.out.display().to_string(),
        adapter: settings.out.join(run_folder::ADAPTER).display().to_string(),
        method: adapter.meta.method.clone(),
        classes: adapter.meta.class_names.len(),
        images: adapter.meta.data.images,
        parameters: metric("parameters"),
        epochs: metric("epochs"),
        steps_per_epoch: metric("steps_per_epoch"),
        seconds: progress.seconds,
        losses: progress.losses,
    };
    printer.answer(&summary, || {
        format!(
            "learned {} values for {} classes from {} images in {:.1} s: {}",
            summary.parameters, summary.classes, summary.images, summary.seconds, summary.adapter
        )
    })
}

fn learn(
    settings: &TrainSettings,
    printer: &Printer,
    observe: &mut dyn FnMut(&Event),
) -> Result<Adapter, Failure> {
    // The images are read before the weights, because loading the weights is slowest.
    let (dataset, files) = settings.data.read(printer)?;
    let config = settings.config(&dataset.name)?;
    let subset = dataset
        .sampled(settings.shots, settings.seed)
        .select(settings.classes)?;
    let mut images = TrainingImages::of(&subset, settings.data.allow_missing)?;
    images.record.split = DataFiles::name(files.split.as_deref());
    images.record.class_names_file = DataFiles::name(files.class_names.as_deref());
    for warning in &images.warnings {
        printer.warning(warning);
    }
    let clip = settings.clip.open(printer)?;
    let spec = RunSpec {
        clip: &clip,
        images,
        place: settings.data.place_with(&files),
        config,
        threads: decoding_threads(),
    };
    spec.train_in(&settings.out, settings.resume, observe)
        .map_err(|error| match error {
            TrainError::Training(TrainingError::Config(error)) => config_usage(error),
            error => error.into(),
        })
}
