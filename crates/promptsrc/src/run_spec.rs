//! A training run as one value: the CLIP, the images and the configuration. Commands and sweeps
//! build it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use promptsrc_datasets::{Augment, DataError, LoaderOptions, Subset, TrainLoader};
use promptsrc_files::SaveError;

use crate::adapter::{Adapter, AdapterError, AdapterMeta};
use crate::clip::Clip;
use crate::config::{ConfigError, FeatureConfig, MethodConfig, Overrides, Preset, TrainConfig};
use crate::events::Event;
use crate::feature_training::{self, FeatureError, FeatureTraining};
use crate::losses::LossValues;
use crate::machine::Machine;
use crate::methods::{Request, prompt_model};
use crate::records::DataRecord;
use crate::run_folder::{
    self, DataPlace, OpenedRun, RunClip, RunConfig, RunData, RunError, RunFolder,
};
use crate::stop;
use crate::trained_images::TrainedImages;
use crate::training::{self, Observer, Training, TrainingError, TrainingState};
use crate::training_images::TrainingImages;

/// Everything that defines a training run.
#[derive(Clone, Debug)]
pub struct RunSpec<'a> {
    /// The frozen CLIP.
    pub clip: &'a Clip,
    /// The images.
    pub images: TrainingImages,
    /// Location of the images; it is recorded and does not affect the result.
    pub place: DataPlace,
    /// The configuration.
    pub config: MethodConfig,
    /// Number of threads that decode images ahead of time (0: one per core); it does not affect the
    /// result.
    pub threads: usize,
}

/// A run that failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The training failed.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The training of a head failed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The images cannot be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run folder cannot be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The adapter cannot be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The adapter of a finished run cannot be loaded.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The saved state has more steps of an epoch than the run.
    #[error(
        "the saved state has {saved} finished steps of an epoch, but an epoch of the run only {steps}"
    )]
    TooManySteps {
        /// Steps of the state.
        saved: usize,
        /// Steps of an epoch.
        steps: usize,
    },
    /// It was asked to stop, and its state is saved if it has a run folder.
    #[error("stopped in epoch {epoch} of {epochs}, after {step} of its {steps} steps")]
    Stopped {
        /// The epoch, from 1.
        epoch: usize,
        /// Epochs of the run.
        epochs: usize,
        /// Finished steps of the epoch.
        step: usize,
        /// Steps of an epoch.
        steps: usize,
    },
}

/// Checks that class names can be told apart by what a configuration learns: for classes that are
/// measured after a training and are not part of it.
///
/// # Errors
/// [`TrainError`].
pub fn check_names(clip: &Clip, config: &MethodConfig, names: &[String]) -> Result<(), TrainError> {
    match config {
        MethodConfig::Prompts(config) => training::check_names(clip, config, names)?,
        MethodConfig::Features(config) => feature_training::check_names(clip, config, names)?,
    }
    Ok(())
}

impl MethodConfig {
    /// The configuration that `promptsrc train --method NAME` uses for this CLIP and these images.
    ///
    /// # Errors
    /// [`ConfigError`] if the method is unknown or learns nothing.
    pub fn of(method: &str, clip: &Clip, data: &Subset) -> Result<Self, ConfigError> {
        Request {
            method,
            preset: None,
            default_preset: Preset::BaseToNovel,
            is_mini: clip.is_mini(),
            data_set: &data.data_set,
            shots: data.shots,
            seed: data.seed,
            overrides: &Overrides::default(),
        }
        .resolve()
    }

    /// Trains on the training images of a subset without writing any file.
    ///
    /// # Errors
    /// [`TrainError`] if the run cannot start or fails.
    pub fn train(
        &self,
        clip: &Clip,
        data: &Subset,
        mut observe: impl FnMut(&Event),
    ) -> Result<Adapter, TrainError> {
        let spec = RunSpec {
            clip,
            images: TrainingImages::of(data, false)?
                .readable(false)?
                .readable_validation(self, false)?,
            place: DataPlace::default(),
            config: self.clone(),
            threads: 0,
        };
        spec.train(&mut observe)
    }
}

impl TrainConfig {
    /// As [`MethodConfig::of`], for a method that learns prompts.
    ///
    /// # Errors
    /// [`ConfigError`] if the method is unknown or learns no prompts.
    pub fn of(method: &str, clip: &Clip, data: &Subset) -> Result<Self, ConfigError> {
        match MethodConfig::of(method, clip, data)? {
            MethodConfig::Prompts(config) => Ok(config),
            MethodConfig::Features(config) => Err(ConfigError::NoPrompts {
                method: config.method,
            }),
        }
    }

    /// As [`MethodConfig::train`].
    ///
    /// # Errors
    /// [`TrainError`] if the run cannot start or fails.
    pub fn train(
        &self,
        clip: &Clip,
        data: &Subset,
        observe: impl FnMut(&Event),
    ) -> Result<Adapter, TrainError> {
        MethodConfig::from(self.clone()).train(clip, data, observe)
    }
}

impl RunSpec<'_> {
    /// Trains without writing any file.
    ///
    /// # Errors
    /// [`TrainError`] if the run cannot start or fails.
    pub fn train(&self, observe: &mut dyn FnMut(&Event)) -> Result<Adapter, TrainError> {
        self.check()?;
        self.learn(None, None, observe)
    }

    /// Trains in a run folder. If it contains an unfinished run and `resume` is set, training
    /// resumes after the last saved state; the resulting files are the same, byte for byte, as
    /// without an interruption. When the process is asked to [stop](crate::stop), the state is saved after
    /// the step that is under way.
    ///
    /// # Errors
    /// [`TrainError`] if the run cannot start or fails; [`TrainError::Stopped`].
    pub fn train_in(
        &self,
        folder: &Path,
        resume: bool,
        observe: &mut dyn FnMut(&Event),
    ) -> Result<Adapter, TrainError> {
        self.check()?;
        let OpenedRun { mut folder, state } = RunFolder::open(folder, &self.record(), resume)?;
        if let (Some(state), MethodConfig::Prompts(config)) = (&state, &self.config) {
            let model = prompt_model(config).map_err(TrainingError::from)?;
            let shapes = model.shapes(self.clip, self.images.class_names.len());
            folder.check_state(state, config, &shapes)?;
        }
        let adapter = self.learn(state, Some(&mut folder), observe)?;
        folder.check()?;
        adapter.save(&folder.adapter())?;
        // The metrics are written last, because their file marks the run as finished.
        folder.save_metrics(&adapter.meta.metrics)?;
        Ok(adapter)
    }

    /// The adapter of this run, if a folder contains the finished run.
    ///
    /// # Errors
    /// [`RunError::Changed`] if the folder contains another run; [`TrainError::Adapter`] if the
    /// adapter cannot be loaded.
    pub fn finished_in(&self, folder: &Path) -> Result<Option<Adapter>, TrainError> {
        if !run_folder::is_finished(folder) {
            return Ok(None);
        }
        let saved = run_folder::read_config(&folder.join(run_folder::CONFIG))?;
        if let Some(difference) = run_folder::difference(&saved, &self.record()) {
            return Err(TrainError::Run(RunError::Changed {
                path: folder.to_path_buf(),
                difference,
            }));
        }
        Ok(Some(Adapter::load(&folder.join(run_folder::ADAPTER))?))
    }

    /// The configuration that is saved in the run folder and compared on a resume.
    pub fn record(&self) -> RunConfig {
        RunConfig {
            version: env!("CARGO_PKG_VERSION").to_string(),
            clip: RunClip {
                source: self.clip.source().to_string(),
                fingerprint: self.clip.record().fingerprint.clone(),
                precision: self.clip.precision().to_string(),
                stated: self.clip.stated().clone(),
                settings: self.clip.record().settings.clone(),
                preprocessing: Some(self.clip.preprocessing_record()),
            },
            data: RunData {
                path: self.place.path.clone(),
                split: self.place.split.clone(),
                class_names: self.place.class_names.clone(),
                classes: self.images.record.classes.clone(),
                shots: self.images.record.shots,
                allow_missing: self.images.allows_missing(),
                images: self.images.fingerprint(),
                validation: (self.config.needs_validation())
                    .then(|| self.images.fingerprint_of_validation()),
                exif: self.images.record.exif,
                few_shot_cache: self.images.record.few_shot_cache.clone(),
            },
            train: self.config.clone(),
        }
    }

    fn check(&self) -> Result<(), TrainError> {
        match &self.config {
            MethodConfig::Prompts(config) => {
                training::check(self.clip, config, &self.images.class_names)?;
            }
            MethodConfig::Features(config) => {
                config.check().map_err(FeatureError::from)?;
                self.feature_training(config)?.check()?;
            }
        }
        Ok(())
    }

    fn feature_training<'a>(
        &'a self,
        config: &'a FeatureConfig,
    ) -> Result<FeatureTraining<'a>, TrainError> {
        Ok(FeatureTraining {
            clip: self.clip,
            config,
            names: &self.images.class_names,
            train: &self.images.items,
            validation: self.images.validation_of(config)?,
            threads: self.threads,
        })
    }

    /// Trains a head. There is no state to save on the way: what takes time, the features, is in the
    /// cache of the CLIP.
    fn learn_head(
        &self,
        config: &FeatureConfig,
        folder: Option<&mut RunFolder>,
        observe: &mut dyn FnMut(&Event),
    ) -> Result<Adapter, TrainError> {
        let began = Instant::now();
        let training = self.feature_training(config)?;
        // Images on which settings are chosen have been seen as well.
        let trained_on = TrainedImages::of(&[training.train, training.validation].concat());
        let (mut reporter, mut failed) = (
            Reporter {
                folder,
                observe,
                epochs: config.head.epochs(),
                steps: 0,
            },
            None,
        );
        reporter.report(&Event::Start {
            method: config.method.clone(),
            classes: self.images.class_names.len(),
            images: self.images.items.len(),
            parameters: training.learned_values(),
            epochs: config.head.epochs(),
            // The fit reports its epochs; it has no steps of the training loop.
            steps: 0,
            finished: 0,
            machine: Some(Machine::of(self.clip)),
        })?;
        let trained = training.run(&mut |event| match event {
            Event::Fit { .. } => failed = failed.take().or(reporter.report(event).err()),
            event => (reporter.observe)(event),
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        reporter.report(&Event::End {
            seconds: began.elapsed().as_secs_f64(),
        })?;
        let mut metrics = trained.figures;
        metrics.insert("epochs".to_string(), config.head.epochs() as f64);
        metrics.insert("parameters".to_string(), training.learned_values() as f64);
        Ok(Adapter {
            parameters: trained.parameters,
            meta: self.meta(trained_on, metrics)?,
        })
    }

    fn learn(
        &self,
        state: Option<TrainingState>,
        folder: Option<&mut RunFolder>,
        observe: &mut dyn FnMut(&Event),
    ) -> Result<Adapter, TrainError> {
        let config = match &self.config {
            MethodConfig::Prompts(config) => config,
            MethodConfig::Features(config) => return self.learn_head(config, folder, observe),
        };
        let began = Instant::now();
        let names = &self.images.class_names;
        let (method, epochs) = (config.method.clone(), config.epochs);
        let loader = self.loader(config)?;
        let config = config.clone();
        let mut training = Training::begin(self.clip, config, names, state, &mut |done, total| {
            observe(&Event::Texts { done, total });
        })?;
        let trained_on = TrainedImages::of(&self.images.items);
        let (saved, steps) = (training.state().step, loader.batches());
        if saved >= steps.max(1) {
            return Err(TrainError::TooManySteps { saved, steps });
        }
        let mut reporter = Reporter {
            folder,
            observe,
            epochs,
            steps,
        };
        reporter.report(&Event::Start {
            method,
            classes: names.len(),
            images: self.images.items.len(),
            parameters: training.state().parameters.count(),
            epochs,
            steps: loader.batches(),
            finished: training.state().epoch,
            machine: Some(Machine::of(self.clip)),
        })?;
        training.run(&loader, &mut reporter)?;
        reporter.report(&Event::End {
            seconds: began.elapsed().as_secs_f64(),
        })?;
        let metrics = BTreeMap::from([
            ("epochs".to_string(), epochs as f64),
            ("steps_per_epoch".to_string(), loader.batches() as f64),
            (
                "parameters".to_string(),
                training.state().parameters.count() as f64,
            ),
        ]);
        Ok(Adapter {
            parameters: training.learned(),
            meta: self.meta(trained_on, metrics)?,
        })
    }

    fn loader(&self, config: &TrainConfig) -> Result<TrainLoader, DataError> {
        TrainLoader::new(
            self.images.items.clone(),
            self.clip.preprocess(),
            Augment {
                scale: (config.crop_scale, 1.0),
                ..Augment::default()
            },
            config.seed,
            LoaderOptions {
                threads: self.threads,
                ..LoaderOptions::new(config.batch_size)
            },
        )
    }

    fn meta(
        &self,
        trained_on: TrainedImages,
        metrics: BTreeMap<String, f64>,
    ) -> Result<AdapterMeta, TrainError> {
        let template = match &self.config {
            MethodConfig::Prompts(config) => {
                let model = prompt_model(config).map_err(TrainingError::from)?;
                model.template()
            }
            MethodConfig::Features(config) => config.templates.first().cloned().unwrap_or_default(),
        };
        Ok(AdapterMeta {
            format_version: AdapterMeta::FORMAT_VERSION,
            method: self.config.method().to_string(),
            class_names: self.images.class_names.clone(),
            template,
            clip: self.clip.record().clone(),
            preprocessing: self.clip.preprocessing_record(),
            data: DataRecord {
                trained_on,
                ..self.images.record.clone()
            },
            precision: self.clip.precision().to_string(),
            config: self.config.clone(),
            metrics,
        })
    }
}

/// Reports events to the caller and to the log in the run folder.
struct Reporter<'a> {
    folder: Option<&'a mut RunFolder>,
    observe: &'a mut dyn FnMut(&Event),
    /// Epochs of the run.
    epochs: usize,
    /// Steps of an epoch.
    steps: usize,
}

impl Reporter<'_> {
    fn report(&mut self, event: &Event) -> Result<(), TrainError> {
        (self.observe)(event);
        match &mut self.folder {
            Some(folder) => Ok(folder.log(event)?),
            None => Ok(()),
        }
    }

    fn save(&self, state: &TrainingState) -> Result<(), TrainError> {
        match &self.folder {
            Some(folder) => Ok(folder.save_state(state)?),
            None => Ok(()),
        }
    }

    fn stopped(&self, state: &TrainingState) -> TrainError {
        TrainError::Stopped {
            epoch: state.epoch + 1,
            epochs: self.epochs,
            step: state.step,
            steps: self.steps,
        }
    }
}

impl Observer<TrainError> for Reporter<'_> {
    fn step(
        &mut self,
        state: &TrainingState,
        losses: LossValues,
        last: bool,
    ) -> Result<(), TrainError> {
        self.report(&Event::Step {
            epoch: state.epoch + 1,
            step: state.step,
            losses,
        })?;
        // After the last step there is only the epoch to end.
        if !last && stop::is_requested() {
            self.save(state)?;
            return Err(self.stopped(state));
        }
        Ok(())
    }

    fn epoch(
        &mut self,
        state: &TrainingState,
        lr: f64,
        losses: LossValues,
        seconds: f64,
    ) -> Result<(), TrainError> {
        self.report(&Event::Epoch {
            epoch: state.epoch,
            lr,
            losses,
            seconds,
        })?;
        self.save(state)?;
        // After the last epoch the run is finished.
        match state.epoch < self.epochs && stop::is_requested() {
            true => Err(self.stopped(state)),
            false => Ok(()),
        }
    }
}
