//! `promptsrc train`: a few labelled images to an adapter.

mod progress;

use promptsrc::adapter::DataRecord;
use promptsrc::learner::LearnError;
use promptsrc::run_folder::{self, RunClip, RunConfig, RunData, RunError};
use promptsrc::train::TrainError;
use promptsrc::{Adapter, Event, TrainData, TrainJob};
use serde::Serialize;

use crate::args::{Common, Shots, TrainArgs};
use crate::failure::Failure;
use crate::output::Printer;
use crate::{labelled_images, resolve};

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
    /// Mean losses of the last epoch; none where this process did not train one.
    losses: Option<promptsrc::losses::LossValues>,
}

pub fn run(args: &TrainArgs, common: &Common, printer: &Printer) -> Result<(), Failure> {
    let mut progress = TrainProgress::new(printer);
    let adapter = learn(args, common, printer, &mut |event| progress.show(event))?;
    let metric = |name: &str| adapter.meta.metrics.get(name).copied().unwrap_or(0.0) as usize;
    let summary = Summary {
        out: args.out.display().to_string(),
        adapter: args.out.join(run_folder::ADAPTER).display().to_string(),
        method: adapter.meta.method.to_string(),
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

/// The whole training that `args` ask for, in its run folder.
pub fn learn(
    args: &TrainArgs,
    common: &Common,
    printer: &Printer,
    observe: &mut dyn FnMut(&Event),
) -> Result<Adapter, Failure> {
    let shots = match args.shots {
        Shots::Some(k) => Some(k),
        Shots::All => None,
    };
    // Options first, then the images, then the weights: the slowest last.
    resolve::train_config(args, "")?;
    check_out(args)?;
    let (dataset, split) = labelled_images::read(&args.data, printer)?;
    let config = resolve::train_config(args, &dataset.name)?;
    let chosen = labelled_images::training(
        &dataset,
        shots,
        args.seed,
        args.classes,
        args.data.more.allow_missing,
        printer,
    )?;
    let loaded = resolve::clip(&args.clip, common, printer)?;
    let record = loaded.record()?;
    let run_config = RunConfig {
        version: env!("CARGO_PKG_VERSION").to_string(),
        clip: RunClip {
            source: loaded.source.clone(),
            fingerprint: record.fingerprint.clone(),
            precision: loaded.clip.precision().to_string(),
        },
        data: RunData {
            path: labelled_images::remembered(&args.data.data),
            split: args.data.more.split.as_deref().map(resolve::absolute),
            class_names: args.data.more.class_names.as_deref().map(resolve::absolute),
            classes: labelled_images::classes_name(args.classes).to_string(),
            shots,
            allow_missing: args.data.more.allow_missing,
            images: labelled_images::fingerprint(&chosen),
        },
        train: config.clone(),
    };
    let data_record = DataRecord {
        name: dataset.name.clone(),
        split,
        classes: labelled_images::classes_name(args.classes).to_string(),
        shots,
        images: chosen.items.len(),
        seed: args.seed,
    };
    let job = TrainJob {
        clip: &loaded.clip,
        clip_record: record,
        config,
        data: TrainData {
            class_names: chosen.class_names,
            items: chosen.items,
            record: data_record,
        },
        threads: resolve::decoding_threads(),
    };

    job.run_in(&args.out, &run_config, args.resume, observe)
        .map_err(|error| match error {
            TrainError::Learn(LearnError::Config(error)) => resolve::config_usage(error),
            error => error.into(),
        })
}

/// Fails where the run folder cannot be used, before a CLIP is downloaded or loaded for it.
fn check_out(args: &TrainArgs) -> Result<(), Failure> {
    let path = &args.out;
    if path.exists() && !path.is_dir() {
        return Err(Failure::failed(format!(
            "--out {}: is a file; a run needs a folder, which is created if it does not exist",
            path.display()
        )));
    }
    let files = [run_folder::STATE, run_folder::ADAPTER];
    if !args.resume && files.iter().any(|name| path.join(name).exists()) {
        return Err(RunError::Occupied { path: path.clone() }.into());
    }
    Ok(())
}
