//! `promptsrc train`: a few labelled images to an adapter.

use promptsrc::adapter::DataRecord;
use promptsrc::learner::LearnError;
use promptsrc::run_folder::{self, RunClip, RunConfig, RunData, RunError};
use promptsrc::train::TrainError;
use promptsrc::{Adapter, Event, TrainData, TrainJob};
use serde::Serialize;

use crate::args::{Common, Shots, TrainArgs};
use crate::commands::data;
use crate::failure::Failure;
use crate::{output, resolve};

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

pub fn run(args: &TrainArgs, common: &Common) -> Result<(), Failure> {
    let mut view = View::new(common.quiet);
    let adapter = learn(args, common, &mut |event| view.show(event))?;
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
        seconds: view.seconds,
        losses: view.losses,
    };
    if common.json {
        return output::json(&summary);
    }
    output::result(&format!(
        "learned {} values for {} classes from {} images in {:.1} s: {}",
        summary.parameters, summary.classes, summary.images, summary.seconds, summary.adapter
    ))
}

/// The whole training that `args` ask for, in its run folder.
pub fn learn(
    args: &TrainArgs,
    common: &Common,
    observe: &mut dyn FnMut(&Event),
) -> Result<Adapter, Failure> {
    let shots = match args.shots {
        Shots::Some(k) => Some(k),
        Shots::All => None,
    };
    // Options first, then the images, then the weights: the slowest last.
    resolve::train_config(args, "")?;
    check_out(args)?;
    let (dataset, split) = data::read(&args.data)?;
    let config = resolve::train_config(args, &dataset.name)?;
    let chosen = data::training(
        &dataset,
        shots,
        args.seed,
        args.classes,
        args.data.more.allow_missing,
    )?;
    let loaded = resolve::clip(&args.clip, common)?;
    let record = loaded.record()?;
    let run_config = RunConfig {
        version: env!("CARGO_PKG_VERSION").to_string(),
        clip: RunClip {
            source: loaded.source.clone(),
            fingerprint: record.fingerprint.clone(),
            precision: loaded.clip.precision().to_string(),
        },
        data: RunData {
            path: data::remembered(&args.data.data),
            split: args.data.more.split.as_deref().map(resolve::absolute),
            class_names: args.data.more.class_names.as_deref().map(resolve::absolute),
            classes: data::classes_name(args.classes).to_string(),
            shots,
            allow_missing: args.data.more.allow_missing,
            images: data::fingerprint(&chosen),
        },
        train: config.clone(),
    };
    let data_record = DataRecord {
        name: dataset.name.clone(),
        split,
        classes: data::classes_name(args.classes).to_string(),
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

/// Finds a run folder that cannot be used before a CLIP is loaded, or even fetched, for it.
fn check_out(args: &TrainArgs) -> Result<(), Failure> {
    let path = &args.out;
    if path.exists() && !path.is_dir() {
        return Err(Failure::failed(format!(
            "--out {}: is a file; a run needs a folder, which is made where it is not there yet",
            path.display()
        )));
    }
    let files = [run_folder::STATE, run_folder::ADAPTER];
    if !args.resume && files.iter().any(|name| path.join(name).exists()) {
        return Err(RunError::Occupied { path: path.clone() }.into());
    }
    Ok(())
}

/// Shows a run while it works: a bar on a terminal, a line an epoch elsewhere.
struct View {
    quiet: bool,
    bar: indicatif::ProgressBar,
    epochs: usize,
    seconds: f64,
    losses: Option<promptsrc::losses::LossValues>,
}

impl View {
    fn new(quiet: bool) -> Self {
        let bar = indicatif::ProgressBar::hidden();
        Self {
            quiet,
            bar,
            epochs: 0,
            seconds: 0.0,
            losses: None,
        }
    }

    fn line(&self, text: &str) {
        if self.quiet {
        } else if self.bar.is_hidden() {
            output::note(text);
        } else {
            self.bar.println(text);
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Start {
                method,
                classes,
                images,
                parameters,
                epochs,
                steps,
                finished,
            } => {
                self.epochs = *epochs;
                self.line(&format!(
                    "{method}: {parameters} values, {classes} classes, {images} images, \
                     {epochs} epochs of {steps} steps"
                ));
                if *finished > 0 {
                    self.line(&format!("going on after epoch {finished}"));
                }
                self.bar = output::bar((epochs * steps) as u64, "steps", self.quiet);
                self.bar.set_position((finished * steps) as u64);
                self.bar.reset_eta();
            }
            Event::Step { losses, .. } => {
                self.bar.inc(1);
                self.bar.set_message(format!("loss {:.3} ", losses.total));
            }
            Event::Epoch {
                epoch,
                losses,
                seconds,
                ..
            } => {
                self.losses = Some(*losses);
                // No longer than 80 columns; the log has the rest.
                let width = self.epochs.to_string().len();
                self.line(&format!(
                    "epoch {epoch:>width$}/{}  loss {:.3}  ce {:.2}  text {:.2}  image {:.2}  \
                     logits {:.2}  {seconds:.1} s",
                    self.epochs,
                    losses.total,
                    losses.ce,
                    losses.scl_text,
                    losses.scl_image,
                    losses.scl_logits
                ));
            }
            Event::End { seconds } => {
                self.seconds = *seconds;
                self.bar.finish_and_clear();
            }
        }
    }
}
