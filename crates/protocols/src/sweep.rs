//! Makes the runs of a plan: finished runs are kept, unfinished ones continued, and those that
//! another process is working on are left to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use promptsrc_clip::ClipModel;
use promptsrc_datasets::{DataError, Dataset, Item, Part};
use rayon::ThreadPoolBuildError;

use crate::collection::{CollectionError, DatasetCollection};
use crate::jobs;
use crate::plan::PlannedRun;
use crate::protocol::{Protocol, Target, classes_name};
use crate::results::{Configuration, Measured, ResultError, RunId, RunResult};
use promptsrc::Event;
use promptsrc::adapter::{ClipRecord, DataRecord};
use promptsrc::config::TrainConfig;
use promptsrc::image_list;
use promptsrc::methods::{MethodError, Training};
use promptsrc::run_folder::{self, RunClip, RunConfig, RunData, RunError};
use promptsrc::train::{TrainData, TrainError, TrainJob};
use promptsrc::{EvaluateError, evaluate};
use promptsrc_files::{Lock, SaveError, write_atomically};

/// Held while a run is made. The operating system releases it when the process ends in any way.
const LOCK: &str = ".run-lock";
/// Measurements of a run that is not finished; hidden, so that [`collect`](crate::collect) skips
/// them.
const MEASURING: &str = ".measuring";
/// Time between two checks of a run that another process is working on.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Makes runs, each in its folder below one folder.
pub struct Sweep<'a> {
    clip: &'a ClipModel,
    clip_record: ClipRecord,
    clip_source: String,
    collection: &'a dyn DatasetCollection,
    out: PathBuf,
    allow_missing: bool,
    at_once: usize,
    threads: usize,
    data_sets: Mutex<BTreeMap<String, Arc<Dataset>>>,
}

/// What a sweep reports while it works; from several threads where it makes several runs at a time.
#[derive(Debug)]
pub enum SweepEvent<'a> {
    /// A run is started or continued.
    Begin(&'a PlannedRun),
    /// A report of its training.
    Train(&'a PlannedRun, &'a Event),
    /// Progress of the measurements on all its targets.
    Measure {
        /// The run.
        run: &'a PlannedRun,
        /// Images that are classified.
        done: usize,
        /// Images to classify.
        total: usize,
    },
    /// A warning.
    Warn(&'a PlannedRun, &'a str),
    /// A run is finished.
    End {
        /// The run.
        run: &'a PlannedRun,
        /// Its result.
        result: &'a RunResult,
        /// Whether it was finished before this sweep.
        already_finished: bool,
    },
    /// A run has failed; the others are still made.
    Fail(&'a PlannedRun, &'a SweepError),
    /// Only runs that other processes are working on are left: their number.
    Wait(usize),
}

/// The progress of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It has not been started.
    New,
    /// It has been started.
    Begun,
    /// It is finished.
    Finished,
}

impl RunState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Begun => "begun",
            Self::Finished => "finished",
        }
    }
}

/// Why a run cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The folder holds a run with another configuration.
    #[error(
        "{} holds a run with another configuration ({difference}): give the same options to \
         continue it, or choose another folder",
        path.display()
    )]
    Changed {
        /// Its folder.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A data set cannot be read.
    #[error(transparent)]
    Collection(#[from] CollectionError),
    /// The images of a data set are not usable.
    #[error("the data set {name}: {source}")]
    Data {
        /// The data set.
        name: String,
        /// What is wrong.
        source: Box<DataError>,
    },
    /// A result.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// Something cannot be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The run folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The classifier.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// A measurement.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] ThreadPoolBuildError),
}

impl SweepError {
    fn data(name: &str, source: DataError) -> Self {
        Self::Data {
            name: name.to_string(),
            source: Box::new(source),
        }
    }
}

/// The outcome of an attempt at a run.
enum Attempt {
    /// It is finished, or it has failed, which has been reported.
    Ended(Result<(), SweepError>),
    /// Another process is working on it.
    Locked,
}

impl<'a> Sweep<'a> {
    /// A sweep with a CLIP over a collection, in the folder `out`. `clip_source`: where the CLIP
    /// is, as recorded in run folders.
    pub fn new(
        clip: &'a ClipModel,
        clip_record: ClipRecord,
        clip_source: String,
        collection: &'a dyn DatasetCollection,
        out: &Path,
    ) -> Self {
        Self {
            clip,
            clip_record,
            clip_source,
            collection,
            out: out.to_path_buf(),
            allow_missing: false,
            at_once: 1,
            threads: 1,
            data_sets: Mutex::default(),
        }
    }

    /// Skips missing images instead of failing.
    pub fn allow_missing(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    /// Makes `at_once` runs at a time, each on one thread, which suits a small CLIP. With 1, a run
    /// uses all threads for the arithmetic and `decoding` more to prepare images. The results do
    /// not depend on either.
    pub fn threads(mut self, at_once: usize, decoding: usize) -> Self {
        self.at_once = at_once.max(1);
        self.threads = decoding;
        self
    }

    /// The folder of a run.
    pub fn folder(&self, run: &RunId) -> PathBuf {
        self.out.join(run.path())
    }

    /// The progress of a run.
    ///
    /// # Errors
    /// [`SweepError::Changed`] where its folder holds one of another configuration; others where
    /// it cannot be read.
    pub fn state(&self, run: &PlannedRun) -> Result<RunState, SweepError> {
        let folder = self.folder(&run.id);
        if let Some(result) = RunResult::load(&folder)? {
            self.refuse_changed(&folder, &result.configuration, run)?;
            let finished = run.targets.iter().all(|target| result.of(target).is_some());
            return Ok(match finished {
                true => RunState::Finished,
                false => RunState::Begun,
            });
        }
        let config = folder.join(run_folder::CONFIG);
        let begun = [run_folder::STATE, run_folder::ADAPTER];
        if !config.exists() || !begun.iter().any(|name| folder.join(name).exists()) {
            return Ok(RunState::New);
        }
        let saved = run_folder::read_config(&config)?;
        let configuration = Configuration {
            clip: saved.clip.fingerprint,
            precision: saved.clip.precision,
            allow_missing: saved.data.allow_missing,
            train: Some(saved.train),
        };
        self.refuse_changed(&folder, &configuration, run)?;
        Ok(RunState::Begun)
    }

    /// Makes the runs that are not finished, and returns how many have failed. A run that another
    /// process is working on is skipped, and checked again after all others, until it is finished
    /// or that process has ended. A failed run is reported; the others are still made.
    ///
    /// # Errors
    /// Before any run is made: where the folder of one holds a run with another configuration.
    pub fn make(
        &self,
        runs: &[PlannedRun],
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<usize, SweepError> {
        for run in runs {
            self.state(run)?;
        }
        let mut failed = 0;
        let mut left: Vec<&PlannedRun> = runs.iter().collect();
        let mut reported = false;
        while !left.is_empty() {
            let work = |run: &&PlannedRun| match self.attempt(run, observe) {
                Ok(attempt) => Ok::<Attempt, SweepError>(attempt),
                Err(error) => {
                    observe(&SweepEvent::Fail(run, &error));
                    Ok(Attempt::Ended(Err(error)))
                }
            };
            let attempts = match self.at_once {
                1 => left.iter().map(work).collect::<Result<Vec<_>, _>>()?,
                several => jobs::one_per_thread(&left, several, work)?,
            };
            let mut locked = Vec::new();
            for (run, attempt) in left.iter().zip(attempts) {
                match attempt {
                    Attempt::Ended(Ok(())) => {}
                    Attempt::Ended(Err(_)) => failed += 1,
                    Attempt::Locked => locked.push(*run),
                }
            }
            left = locked;
            if !left.is_empty() {
                if !reported {
                    observe(&SweepEvent::Wait(left.len()));
                    reported = true;
                }
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(failed)
    }

    fn attempt(
        &self,
        run: &PlannedRun,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Attempt, SweepError> {
        let folder = self.folder(&run.id);
        if self.report_finished(run, &folder, observe)? {
            return Ok(Attempt::Ended(Ok(())));
        }
        let Some(_lock) = lock(&folder)? else {
            return Ok(Attempt::Locked);
        };
        // Another process may have finished it before the lock was taken.
        if self.report_finished(run, &folder, observe)? {
            return Ok(Attempt::Ended(Ok(())));
        }
        observe(&SweepEvent::Begin(run));
        let trained_on = match (run.method.training(), &run.config) {
            (Some(training), Some(config)) => {
                match self.train(run, training, config, &folder, observe) {
                    // `promptsrc train` is running in this folder.
                    Err(SweepError::Train(TrainError::Run(RunError::Locked { .. }))) => {
                        return Ok(Attempt::Locked);
                    }
                    trained => Some(trained?),
                }
            }
            _ => None,
        };
        let result = self.measure(run, trained_on, &folder, observe)?;
        observe(&SweepEvent::End {
            run,
            result: &result,
            already_finished: false,
        });
        Ok(Attempt::Ended(Ok(())))
    }

    fn report_finished(
        &self,
        run: &PlannedRun,
        folder: &Path,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<bool, SweepError> {
        if self.state(run)? != RunState::Finished {
            return Ok(false);
        }
        if let Some(result) = RunResult::load(folder)? {
            observe(&SweepEvent::End {
                run,
                result: &result,
                already_finished: true,
            });
        }
        Ok(true)
    }

    /// Trains, unless that is done, and returns the fingerprint of the training images.
    fn train(
        &self,
        run: &PlannedRun,
        training: &dyn Training,
        config: &TrainConfig,
        folder: &Path,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<String, SweepError> {
        let name = &run.id.data_set;
        let data = |source| SweepError::data(name, source);
        let dataset = self.data_set(name)?;
        dataset.check_trainable().map_err(data)?;
        let shots = run.id.shots.unwrap_or(0);
        let picks = dataset.few_shot(shots, config.seed);
        if let Some((label, images)) = picks.short.first() {
            let class = dataset.class_names.get(*label).map_or("", String::as_str);
            let text = format!(
                "{} of {} classes have fewer than {shots} training images and are taken whole \
                 (the first: {class}, {images})",
                picks.short.len(),
                dataset.class_names.len()
            );
            observe(&SweepEvent::Warn(run, &text));
        }
        let classes = run.id.protocol.learned();
        let selection = dataset.select(&picks, classes).map_err(data)?;
        let items = self.items(run, &dataset, Part::Train, &selection.train, observe)?;
        let fingerprint = image_list::fingerprint(&selection.class_names, &items);
        let run_config = RunConfig {
            version: env!("CARGO_PKG_VERSION").to_string(),
            clip: RunClip {
                source: self.clip_source.clone(),
                fingerprint: self.clip_record.fingerprint.clone(),
                precision: self.clip.precision().to_string(),
            },
            data: RunData {
                path: self.collection.location(name),
                split: None,
                class_names: None,
                classes: classes_name(classes).to_string(),
                shots: run.id.shots,
                allow_missing: self.allow_missing,
                images: fingerprint.clone(),
            },
            train: config.clone(),
        };
        self.copy_from_other_transfer(run, training, &run_config, folder)?;
        if training.is_trained(folder) {
            let saved = run_folder::read_config(&folder.join(run_folder::CONFIG))?;
            return match run_folder::difference(&saved, &run_config) {
                None => Ok(fingerprint),
                Some(difference) => Err(SweepError::Changed {
                    path: folder.to_path_buf(),
                    difference,
                }),
            };
        }
        let job = TrainJob {
            clip: self.clip,
            clip_record: self.clip_record.clone(),
            config: config.clone(),
            data: TrainData {
                class_names: selection.class_names,
                record: DataRecord {
                    name: name.clone(),
                    split: None,
                    classes: classes_name(classes).to_string(),
                    shots: run.id.shots,
                    images: items.len(),
                    seed: config.seed,
                },
                items,
            },
            threads: self.threads,
        };
        training.train(&job, folder, &run_config, &mut |event| {
            observe(&SweepEvent::Train(run, event));
        })?;
        Ok(fingerprint)
    }

    /// Cross-dataset transfer and domain generalisation have the same training: a finished one of
    /// the other protocol is copied.
    fn copy_from_other_transfer(
        &self,
        run: &PlannedRun,
        training: &dyn Training,
        config: &RunConfig,
        folder: &Path,
    ) -> Result<(), SweepError> {
        let other = match run.id.protocol {
            Protocol::CrossDataset => Protocol::DomainGeneralization,
            Protocol::DomainGeneralization => Protocol::CrossDataset,
            _ => return Ok(()),
        };
        let other = self.folder(&RunId {
            protocol: other,
            ..run.id.clone()
        });
        let holds = [run_folder::STATE, run_folder::ADAPTER];
        if holds.iter().any(|name| folder.join(name).exists()) || !training.is_trained(&other) {
            return Ok(());
        }
        let saved = run_folder::read_config(&other.join(run_folder::CONFIG))?;
        if run_folder::difference(&saved, config).is_some() {
            return Ok(());
        }
        // The metrics last: they mark the training as finished.
        for name in [
            run_folder::CONFIG,
            run_folder::LOG,
            run_folder::STATE,
            run_folder::ADAPTER,
            run_folder::METRICS,
        ] {
            let path = other.join(name);
            let bytes = std::fs::read(&path).map_err(|source| SweepError::Io { path, source })?;
            write_atomically(&folder.join(name), &bytes)?;
        }
        Ok(())
    }

    fn measure(
        &self,
        run: &PlannedRun,
        trained_on: Option<String>,
        folder: &Path,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<RunResult, SweepError> {
        // From an earlier run with other targets, or from a process that was killed.
        let measuring = folder.join(MEASURING);
        let saved = match RunResult::load(&measuring)? {
            Some(saved) => Some(saved),
            None => RunResult::load(folder)?,
        };
        let asked = self.configuration(run);
        let usable =
            saved.filter(|saved| saved.configuration == asked && saved.trained_on == trained_on);
        let mut result =
            usable.unwrap_or_else(|| RunResult::new(run.id.clone(), asked, trained_on));
        let left: Vec<&Target> = run
            .targets
            .iter()
            .filter(|target| result.of(target).is_none())
            .collect();
        let mut chosen = Vec::new();
        for target in left {
            chosen.push((target, self.test_images(run, target, observe)?));
        }
        let total = chosen.iter().map(|(_, (_, items))| items.len()).sum();
        let mut before = 0;
        let several = chosen.len() > 1;
        for (target, (names, items)) in chosen {
            let template = self.collection.template(&target.data_set);
            let classifier = run
                .method
                .classifier(self.clip, folder, &names, &template)?;
            let mut progress = |done| {
                observe(&SweepEvent::Measure {
                    run,
                    done: before + done,
                    total,
                });
            };
            let evaluation =
                evaluate(self.clip, &*classifier, &items, self.threads, &mut progress)?;
            before += items.len();
            result.measured.push(Measured {
                data_set: target.data_set.clone(),
                classes: classes_name(target.classes).to_string(),
                names: names.len(),
                correct: evaluation.correct,
                total: evaluation.total,
                macro_f1: evaluation.macro_f1,
                images: image_list::fingerprint(&names, &items),
            });
            if several {
                make_folder(&measuring)?;
                result.save(&measuring)?;
            }
        }
        // In the order of the plan, not of measuring.
        result.measured.sort_by_key(|measured| {
            let is_it = |target: &Target| {
                target.data_set == measured.data_set
                    && classes_name(target.classes) == measured.classes
            };
            let place = run.targets.iter().position(is_it);
            place.unwrap_or(run.targets.len())
        });
        result.save(folder)?;
        if measuring.exists() {
            // If it remains, nothing is lost: measuring again gives the same numbers.
            let _ = std::fs::remove_dir_all(&measuring);
        }
        Ok(result)
    }

    /// The class names and test images of a target.
    fn test_images(
        &self,
        run: &PlannedRun,
        target: &Target,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<(Vec<String>, Vec<Item>), SweepError> {
        let dataset = self.data_set(&target.data_set)?;
        let data = |source| SweepError::data(&target.data_set, source);
        dataset.check_part(Part::Test).map_err(data)?;
        // All training images; which classes are base does not depend on shots or seed.
        let everything = dataset.few_shot(0, 0);
        let selection = dataset.select(&everything, target.classes).map_err(data)?;
        let items = self.items(run, &dataset, Part::Test, &selection.test, observe)?;
        Ok((selection.class_names, items))
    }

    fn items(
        &self,
        run: &PlannedRun,
        dataset: &Dataset,
        part: Part,
        samples: &[promptsrc_datasets::Sample],
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Vec<Item>, SweepError> {
        let resolved = dataset
            .items(part, samples, self.allow_missing)
            .map_err(|source| SweepError::data(&dataset.name, source))?;
        if resolved.dropped > 0 {
            let text = format!(
                "{} of {} {part} images of {} are not there and are left out",
                resolved.dropped,
                samples.len(),
                dataset.name
            );
            observe(&SweepEvent::Warn(run, &text));
        }
        Ok(resolved.items)
    }

    /// A data set, which is read only once.
    fn data_set(&self, name: &str) -> Result<Arc<Dataset>, SweepError> {
        let mut read = self
            .data_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(dataset) = read.get(name) {
            return Ok(dataset.clone());
        }
        let dataset = Arc::new(self.collection.open(name)?);
        read.insert(name.to_string(), dataset.clone());
        Ok(dataset)
    }

    fn configuration(&self, run: &PlannedRun) -> Configuration {
        Configuration {
            clip: self.clip_record.fingerprint.clone(),
            precision: self.clip.precision().to_string(),
            allow_missing: self.allow_missing,
            train: run.config.clone(),
        }
    }

    fn refuse_changed(
        &self,
        folder: &Path,
        saved: &Configuration,
        run: &PlannedRun,
    ) -> Result<(), SweepError> {
        let value =
            |configuration: &Configuration| serde_json::to_value(configuration).unwrap_or_default();
        let asked = self.configuration(run);
        match run_folder::difference_of(&value(saved), &value(&asked)) {
            None => Ok(()),
            Some(difference) => Err(SweepError::Changed {
                path: folder.to_path_buf(),
                difference,
            }),
        }
    }
}

fn make_folder(path: &Path) -> Result<(), SweepError> {
    std::fs::create_dir_all(path).map_err(|source| SweepError::Io {
        path: path.to_path_buf(),
        source,
    })
}

/// Takes a run's lock; `None` where another process holds it.
fn lock(folder: &Path) -> Result<Option<Lock>, SweepError> {
    make_folder(folder)?;
    let path = folder.join(LOCK);
    Lock::take(&path).map_err(|source| SweepError::Io { path, source })
}
