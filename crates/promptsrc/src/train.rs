//! A whole training run: few shots in, an adapter out, with or without a run folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use promptsrc_clip::{ClipModel, ClipWeights, WeightError};
use promptsrc_datasets::{Augment, Batch, DataError, Item, LoaderOptions, TrainLoader};
use promptsrc_image::Preprocess;

use crate::adapter::{Adapter, AdapterMeta, ClipRecord, DataRecord, PreprocessingRecord};
use crate::config::TrainConfig;
use crate::events::Event;
use crate::learner::{self, LearnError, Learner, LearnerState};
use crate::losses::LossValues;
use crate::run_folder::{OpenedRun, RunConfig, RunError, RunFolder};
use promptsrc_files::SaveError;

/// The images of a run.
#[derive(Clone, Debug)]
pub struct TrainData {
    /// Names of the classes, by label.
    pub class_names: Vec<String>,
    /// The images, in the order of the few-shot picks.
    pub items: Vec<Item>,
    /// Where they come from.
    pub record: DataRecord,
}

/// A training run, ready to start.
#[derive(Debug)]
pub struct TrainJob<'a> {
    /// The frozen CLIP.
    pub clip: &'a ClipModel,
    /// What the adapter says of the CLIP.
    pub clip_record: ClipRecord,
    /// The configuration.
    pub config: TrainConfig,
    /// The images.
    pub data: TrainData,
    /// Threads that decode images ahead of the step; the result does not depend on them.
    pub threads: usize,
}

/// A run that failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Nothing to tell apart.
    #[error("there is one class only ({name}): learning needs at least two")]
    OneClass {
        /// The class.
        name: String,
    },
    /// Nothing to learn from.
    #[error("there are no training images")]
    NoImages,
    /// The learner.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// An image.
    #[error(transparent)]
    Load(#[from] DataError),
    /// The run folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The adapter cannot be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// A saved state of more epochs than the run has.
    #[error("the saved state has {saved} finished epochs, the run only {epochs}")]
    TooManyEpochs {
        /// Epochs of the state.
        saved: usize,
        /// Epochs of the run.
        epochs: usize,
    },
}

/// What an adapter says of a CLIP. `name`: its file, folder or hub name, without the way to it.
pub fn clip_record(weights: &ClipWeights, name: &str) -> Result<ClipRecord, WeightError> {
    let config = weights.config();
    Ok(ClipRecord {
        name: name.to_string(),
        fingerprint: weights.fingerprint()?,
        embed_dim: config.embed_dim,
        vision: [config.vision.width, config.vision.layers],
        text: [config.text.width, config.text.layers],
    })
}

/// How a CLIP wants its images.
pub fn preprocess(clip: &ClipModel) -> Preprocess {
    let config = clip.config();
    Preprocess {
        resolution: config.vision.resolution as u32,
        mean: config.mean,
        std: config.std,
    }
}

/// The same, as an adapter remembers it.
pub fn preprocessing_record(clip: &ClipModel) -> PreprocessingRecord {
    let Preprocess {
        resolution,
        mean,
        std,
    } = preprocess(clip);
    PreprocessingRecord {
        resolution: resolution as usize,
        mean,
        std,
        interpolation: "bicubic".to_string(),
    }
}

impl TrainJob<'_> {
    /// Trains without leaving anything on disk.
    pub fn run(&self, observe: &mut dyn FnMut(&Event)) -> Result<Adapter, TrainError> {
        self.check()?;
        let learner = self.learner(None)?;
        self.learn(learner, None, observe)
    }

    /// Trains in a run folder. Where it holds an unfinished run and `resume` is set, goes on after
    /// its last finished epoch and ends with the same bytes as a run that was never stopped.
    pub fn run_in(
        &self,
        folder: &Path,
        config: &RunConfig,
        resume: bool,
        observe: &mut dyn FnMut(&Event),
    ) -> Result<Adapter, TrainError> {
        self.check()?;
        let OpenedRun { mut folder, state } = RunFolder::open(folder, config, resume)?;
        if let Some(saved) = state
            .as_ref()
            .map(|s| s.epoch)
            .filter(|e| *e > self.config.epochs)
        {
            return Err(TrainError::TooManyEpochs {
                saved,
                epochs: self.config.epochs,
            });
        }
        let learner = self.learner(state)?;
        let adapter = self.learn(learner, Some(&mut folder), observe)?;
        adapter.save(&folder.adapter())?;
        folder.save_metrics(&adapter.meta.metrics)?;
        Ok(adapter)
    }

    fn check(&self) -> Result<(), TrainError> {
        if let [name] = self.data.class_names.as_slice() {
            return Err(TrainError::OneClass { name: name.clone() });
        }
        if self.data.items.is_empty() {
            return Err(TrainError::NoImages);
        }
        learner::check(self.clip, &self.config, &self.data.class_names)?;
        Ok(())
    }

    fn learner(&self, state: Option<LearnerState>) -> Result<Learner<'_>, LearnError> {
        let (clip, config, names) = (self.clip, self.config.clone(), &self.data.class_names);
        match state {
            Some(state) => Learner::from_state(clip, config, names, state),
            None => Learner::new(clip, config, names),
        }
    }

    fn learn(
        &self,
        mut learner: Learner,
        mut folder: Option<&mut RunFolder>,
        observe: &mut dyn FnMut(&Event),
    ) -> Result<Adapter, TrainError> {
        let began = Instant::now();
        let loader = TrainLoader::new(
            self.data.items.clone(),
            preprocess(self.clip),
            Augment {
                scale: (self.config.crop_scale, 1.0),
                ..Augment::default()
            },
            self.config.seed,
            LoaderOptions {
                threads: self.threads,
                ..LoaderOptions::new(self.config.batch_size)
            },
        )?;
        let mut report = |folder: &mut Option<&mut RunFolder>, event: Event| {
            observe(&event);
            folder.as_mut().map_or(Ok(()), |folder| folder.log(&event))
        };
        let start = Event::Start {
            method: self.config.method.to_string(),
            classes: self.data.class_names.len(),
            images: self.data.items.len(),
            parameters: learner.state().prompts.parameters(),
            epochs: self.config.epochs,
            steps: loader.batches(),
            finished: learner.state().epoch,
        };
        report(&mut folder, start)?;

        let mut metrics = BTreeMap::from([
            ("epochs".to_string(), self.config.epochs as f64),
            ("steps_per_epoch".to_string(), loader.batches() as f64),
        ]);
        while !learner.is_finished() {
            let (epoch, lr) = (learner.state().epoch + 1, learner.learning_rate());
            let epoch_began = Instant::now();
            let mut sum = LossValues::default();
            let mut steps = 0;
            for batch in loader.epoch(epoch as u64) {
                let Batch { images, labels, .. } = batch?;
                let losses = learner.step(images, &labels)?;
                steps += 1;
                sum.add(&losses);
                report(
                    &mut folder,
                    Event::Step {
                        epoch,
                        step: steps,
                        losses,
                    },
                )?;
            }
            learner.end_epoch();
            let losses = sum.over(steps);
            let seconds = epoch_began.elapsed().as_secs_f64();
            report(
                &mut folder,
                Event::Epoch {
                    epoch,
                    lr,
                    losses,
                    seconds,
                },
            )?;
            if let Some(folder) = &folder {
                folder.save_state(learner.state())?;
            }
        }
        report(
            &mut folder,
            Event::End {
                seconds: began.elapsed().as_secs_f64(),
            },
        )?;
        metrics.insert(
            "parameters".to_string(),
            learner.state().prompts.parameters() as f64,
        );
        Ok(Adapter {
            prompts: learner.learned(),
            meta: self.meta(metrics),
        })
    }

    fn meta(&self, metrics: BTreeMap<String, f64>) -> AdapterMeta {
        AdapterMeta {
            format_version: AdapterMeta::FORMAT_VERSION,
            method: self.config.method,
            class_names: self.data.class_names.clone(),
            template: format!("{} {{}}.", self.config.prompt_lead()),
            clip: self.clip_record.clone(),
            preprocessing: preprocessing_record(self.clip),
            data: self.data.record.clone(),
            precision: self.clip.precision().to_string(),
            config: self.config.clone(),
            metrics,
        }
    }
}
