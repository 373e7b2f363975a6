//! Makes the runs of a plan: finished runs are kept, unfinished ones continued, and those that
//! another process is working on are left to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use promptsrc::run_folder::{self, RunError};
use promptsrc::{
    Adapter, Classifier, Clip, DataPlace, Event, Item, Part, RunSpec, TrainConfig, TrainError,
    TrainingImages, fingerprint, missing_warning, overlap_warnings,
};
use promptsrc_files::Lock;

use crate::collection::{DatasetCollection, OpenedDataset};
use crate::facts::{Facts, ImageFacts, program};
use crate::jobs;
use crate::plan::PlannedRun;
use crate::protocol::{Protocol, Target};
use crate::results::{Configuration, Measured, RunId, RunResult};
use crate::run_state::RunState;
use crate::sweep_error::SweepError;

/// Held while a run is made. The operating system releases it when the process ends in any way.
const LOCK: &str = ".run-lock";
/// Measurements of a run that is not finished; hidden, so that [`collect`](crate::collect) skips
/// them.
const MEASURING: &str = ".measuring";
/// Time between two checks of a run that another process is working on.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Makes runs, each in its folder below one folder.
pub struct Sweep<'a> {
    clip: &'a Clip,
    collection: &'a dyn DatasetCollection,
    out: PathBuf,
    allow_missing: bool,
    at_once: usize,
    threads: usize,
    data_sets: Mutex<BTreeMap<String, Arc<OpenedDataset>>>,
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

/// What a training gives to the measurements.
struct Trained {
    /// Fingerprint of the training images.
    images: String,
    facts: ImageFacts,
    adapter: Adapter,
}

/// The outcome of an attempt at a run.
enum Attempt {
    /// It is finished, or it has failed, which has been reported.
    Ended(Result<(), SweepError>),
    /// Another process is working on it.
    Locked,
}

impl<'a> Sweep<'a> {
    /// A sweep with a CLIP over a collection, in the folder `out`.
    pub fn new(clip: &'a Clip, collection: &'a dyn DatasetCollection, out: &Path) -> Self {
        Self {
            clip,
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
        let (state, saved) = RunState::with_configuration(run, &folder)?;
        if let Some(saved) = saved {
            self.refuse_changed(&folder, &saved, run)?;
        }
        Ok(state)
    }

    /// Makes the runs that are not finished, and returns how many have failed. A run that another
    /// process is working on is skipped, and checked again after all others, until it is finished
    /// or that process has ended. A failed run is reported; the others are still made.
    ///
    /// # Errors
    /// Before any run is made: if the folder of one contains a run with another configuration.
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
        let trained = match &run.config {
            None => None,
            Some(config) => match self.train(run, config, &folder, observe) {
                // `promptsrc train` is running in this folder.
                Err(SweepError::Train(TrainError::Run(RunError::Locked { .. }))) => {
                    return Ok(Attempt::Locked);
                }
                trained => Some(trained?),
            },
        };
        let result = self.measure(run, trained, &folder, observe)?;
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

    /// Trains, unless that is done.
    fn train(
        &self,
        run: &PlannedRun,
        config: &TrainConfig,
        folder: &Path,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Trained, SweepError> {
        let name = &run.id.data_set;
        let classes = run.id.protocol.learned();
        let opened = self.data_set(name, run, observe)?;
        let data = |source| SweepError::data(name, source);
        let sampled = opened.dataset.sampled(run.id.shots, config.seed);
        let subset = sampled.select(classes).map_err(data)?;
        let images = TrainingImages::of(&subset, self.allow_missing).map_err(data)?;
        let facts = ImageFacts {
            used: images.items.len(),
            left_out: subset.samples(Part::Train).len() - images.items.len(),
            split: opened.split.clone(),
        };
        for warning in &images.warnings {
            observe(&SweepEvent::Warn(run, warning));
        }
        let spec = RunSpec {
            clip: self.clip,
            images,
            place: DataPlace {
                path: self.collection.location(name),
                ..DataPlace::default()
            },
            config: config.clone(),
            threads: self.threads,
        };
        self.copy_from_other_transfer(run, &spec, folder)?;
        let adapter = match spec.finished_in(folder)? {
            Some(adapter) => adapter,
            None => spec.train_in(folder, true, &mut |event| {
                observe(&SweepEvent::Train(run, event));
            })?,
        };
        Ok(Trained {
            images: spec.images.fingerprint(),
            facts,
            adapter,
        })
    }

    /// Cross-dataset transfer and domain generalisation have the same training: a finished one of
    /// the other protocol is copied.
    fn copy_from_other_transfer(
        &self,
        run: &PlannedRun,
        spec: &RunSpec,
        folder: &Path,
    ) -> Result<(), SweepError> {
        let protocol = match run.id.protocol {
            Protocol::CrossDataset => Protocol::DomainGeneralization,
            Protocol::DomainGeneralization => Protocol::CrossDataset,
            _ => return Ok(()),
        };
        let other = self.folder(&RunId {
            protocol,
            ..run.id.clone()
        });
        if run_folder::is_begun(folder) || !run_folder::is_finished(&other) {
            return Ok(());
        }
        let saved = run_folder::read_config(&other.join(run_folder::CONFIG))?;
        if run_folder::difference(&saved, &spec.record()).is_none() {
            run_folder::copy_finished(&other, folder)?;
        }
        Ok(())
    }

    fn measure(
        &self,
        run: &PlannedRun,
        trained: Option<Trained>,
        folder: &Path,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<RunResult, SweepError> {
        let (trained_on, training_facts, adapter) = match trained {
            Some(trained) => (
                Some(trained.images),
                Some(trained.facts),
                Some(trained.adapter),
            ),
            None => (None, None, None),
        };
        // From an earlier run with other targets, or from a process that was killed.
        let measuring = folder.join(MEASURING);
        let saved = match RunResult::load(&measuring)? {
            Some(saved) => Some(saved),
            None => RunResult::load(folder)?,
        };
        let asked = self.configuration(run);
        let usable =
            saved.filter(|saved| saved.configuration == asked && saved.trained_on == trained_on);
        let mut result = usable.unwrap_or_else(|| RunResult {
            facts: Some(Facts {
                program: program(),
                clip: self.clip.record().clone(),
                trained_on: training_facts,
            }),
            ..RunResult::new(run.id.clone(), asked, trained_on)
        });
        let left: Vec<&Target> = run
            .targets
            .iter()
            .filter(|target| result.of(target).is_none())
            .collect();
        let mut chosen = Vec::new();
        for target in left {
            chosen.push((
                target,
                self.test_images(run, target, adapter.as_ref(), observe)?,
            ));
        }
        let total = chosen.iter().map(|(_, (_, items, _))| items.len()).sum();
        let mut before = 0;
        let several = chosen.len() > 1;
        for (target, (names, items, image_facts)) in chosen {
            let classifier = match &adapter {
                Some(adapter) => adapter.classifier(self.clip, &names)?,
                None => {
                    let template = self.collection.template(&target.data_set);
                    Classifier::zero_shot(self.clip, &names, &[template])?
                }
            };
            let mut progress = |done| {
                observe(&SweepEvent::Measure {
                    run,
                    done: before + done,
                    total,
                });
            };
            let evaluation = classifier.evaluate(&items, self.threads, &mut progress)?;
            before += items.len();
            result.measured.push(Measured {
                data_set: target.data_set.clone(),
                classes: target.classes.to_string(),
                names: names.len(),
                correct: evaluation.correct,
                total: evaluation.total,
                macro_f1: evaluation.macro_f1,
                images: fingerprint(&names, &items),
                image_facts: Some(image_facts),
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
                    && target.classes.to_string() == measured.classes
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

    /// The class names and test images of a target, and facts about these.
    fn test_images(
        &self,
        run: &PlannedRun,
        target: &Target,
        adapter: Option<&Adapter>,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<(Vec<String>, Vec<Item>, ImageFacts), SweepError> {
        let data = |source| SweepError::data(&target.data_set, source);
        // All training images; which classes are base does not depend on shots or seed.
        let opened = self.data_set(&target.data_set, run, observe)?;
        let subset = opened.dataset.whole();
        let subset = subset.select(target.classes).map_err(data)?;
        subset.check_classes().map_err(data)?;
        let images = subset
            .images(Part::Test, self.allow_missing)
            .map_err(data)?;
        if let Some(warning) = missing_warning(&subset, Part::Test, &images) {
            observe(&SweepEvent::Warn(run, &warning));
        }
        if let Some(adapter) = adapter {
            for warning in overlap_warnings(&adapter.meta, &subset, Part::Test, &images.items) {
                observe(&SweepEvent::Warn(run, &warning));
            }
        }
        let facts = ImageFacts {
            used: images.items.len(),
            left_out: images.missing,
            split: opened.split.clone(),
        };
        Ok((subset.class_names, images.items, facts))
    }

    /// A data set, which is read only once; what a person should know about it is said then.
    fn data_set(
        &self,
        name: &str,
        run: &PlannedRun,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Arc<OpenedDataset>, SweepError> {
        let mut read = self
            .data_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(dataset) = read.get(name) {
            return Ok(dataset.clone());
        }
        let dataset = Arc::new(self.collection.open(name)?);
        for warning in &dataset.warnings {
            observe(&SweepEvent::Warn(run, &format!("{name}: {warning}")));
        }
        read.insert(name.to_string(), dataset.clone());
        Ok(dataset)
    }

    fn configuration(&self, run: &PlannedRun) -> Configuration {
        Configuration {
            clip: self.clip.record().fingerprint.clone(),
            clip_settings: self.clip.record().settings.clone(),
            preprocessing: Some(self.clip.preprocessing_record()),
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
        let mut asked = self.configuration(run);
        if saved.clip_settings.is_none() {
            (asked.clip_settings, asked.preprocessing) = (None, None);
        }
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
