//! `promptsrc train`: learns an adapter from a few labelled images.

mod progress;
mod tensorboard;

use promptsrc::training::TrainingError;
use promptsrc::{
    Adapter, Event, FeatureError, Part, RunSpec, Subset, TrainError, TrainingImages, run_folder,
};
use promptsrc_datasets::Presence;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{DataFiles, TrainSettings, config_usage, decoding_threads};
use crate::signals;

use progress::TrainProgress;
use tensorboard::TensorBoard;

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
    signals::stop_when_told(printer)?;
    let mut progress = TrainProgress::new(printer);
    let adapter = learn(settings, printer, &mut |event| {
        progress.show(event);
        if let Some(host) = &settings.host {
            host.tell(event);
        }
    })?;
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
    let sampled = match settings.ignore_few_shot_cache {
        true => dataset.sampled(settings.shots, settings.seed),
        false => dataset.sampled_as_saved(settings.shots, settings.seed)?,
    };
    let subset = sampled.select(settings.classes)?;
    let images = TrainingImages::of(&subset, settings.data.allow_missing)?;
    warn_of_missing_test_images(&subset, printer);
    let bar = printer.bar(images.items.len() as u64, "images checked");
    let progress = |done| bar.set_position(done as u64);
    let mut images = images.readable_with(settings.data.allow_unreadable, &progress)?;
    bar.finish_and_clear();
    images = images.readable_validation(&config, settings.data.allow_unreadable)?;
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
    let folder = settings.tensorboard.as_deref();
    let mut board = folder.map(|folder| TensorBoard::new(folder, &spec.config));
    let mut observe = |event: &Event| {
        observe(event);
        if let Some(board) = &mut board {
            board.show(event);
        }
    };
    let trained = spec.train_in(&settings.out, settings.resume, &mut observe);
    if let (Err(_), Some(error)) = (&trained, board.as_ref().and_then(TensorBoard::failed)) {
        printer.warning(&format!("the event file is not whole: {error}"));
    }
    let adapter = trained.map_err(|error| match error {
        TrainError::Training(TrainingError::Config(error)) => config_usage(error),
        error @ TrainError::Stopped { .. } => Failure::Stopped(format!(
            "{error}; the state is saved in {}: the same command with --resume goes on there",
            settings.out.display()
        )),
        TrainError::Features(error @ FeatureError::Stopped { .. }) => Failure::Stopped(format!(
            "{error}; they are kept: the same command with --resume goes on there"
        )),
        error => error.into(),
    })?;
    if let Some(board) = board {
        board.end(&adapter).map_err(|error| {
            Failure::failed(format!(
                "the run is finished, but its event file is not whole: {error}"
            ))
        })?;
    }
    Ok(adapter)
}

/// Training does not need test images; better to know now than after it that they are missing.
fn warn_of_missing_test_images(subset: &Subset, printer: &Printer) {
    let test = subset.samples(Part::Test);
    let missing = test
        .iter()
        .filter(|sample| sample.item.presence != Presence::Present)
        .count();
    if missing > 0 {
        printer.warning(&format!(
            "{missing} of {} test images of {} are missing: the training does not use them, but \
             promptsrc eval will fail without --allow-missing",
            test.len(),
            subset.data_set
        ));
    }
}
