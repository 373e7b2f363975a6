//! Makes the runs of a plan: finished runs are kept, unfinished ones continued, and those that
//! another process is working on are left to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use promptsrc::class_texts::tokens;
use promptsrc::provenance::program;
use promptsrc::run_folder::{self, RunError};
use promptsrc::{
    Adapter, Classifier, ClassifierError, Clip, DataPlace, Event, Item, Machine, MethodConfig,
    Part, ReadableEvaluation, RunSpec, TrainError, check_names, fingerprint, machines_of_training,
    overlap_warnings, stop,
};
use promptsrc_files::Lock;

use crate::collection::DatasetCollection;
use crate::facts::{Facts, ImageFacts};
use crate::jobs;
use crate::plan::PlannedRun;
use crate::protocol::{Protocol, Target};
use crate::results::{Configuration, Measured, RunId, RunResult};
use crate::run_machines::RunMachines;
use crate::run_state::RunState;
use crate::sweep_error::SweepError;
use crate::sweep_images::{SweepImages, TargetImages};

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
    images: SweepImages<'a>,
    out: PathBuf,
    at_once: usize,
    threads: usize,
}

/// What a sweep reports while it works; from several threads where it makes several runs at a time.
#[derive(Debug)]
pub enum SweepEvent<'a> {
    /// A run is started or continued.
    Begin(&'a PlannedRun),
    /// A report of its training.
    Train(&'a PlannedRun, &'a Event),
    /// Test images are decoded, to find before a training those that cannot be.
    Decode {
        /// The data set.
        data_set: &'a str,
        /// How many there are.
        images: usize,
    },
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

/// The class names of targets that were checked, by data set and classes.
type Checked = BTreeMap<(String, String), Vec<String>>;

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
            images: SweepImages::new(collection),
            out: out.to_path_buf(),
            at_once: 1,
            threads: 1,
        }
    }

    /// Skips missing images instead of failing.
    pub fn allow_missing(mut self, allow: bool) -> Self {
        self.images.allow_missing = allow;
        self
    }

    /// Skips images that cannot be decoded instead of failing.
    pub fn allow_unreadable(mut self, allow: bool) -> Self {
        self.images.allow_unreadable = allow;
        self
    }

    /// Turns images by their EXIF orientation, which the reference ignores.
    pub fn upright(mut self, upright: bool) -> Self {
        self.images.upright = upright;
        self
    }

    /// Draws few-shot images even where the reference saved some.
    pub fn ignore_few_shot_caches(mut self, ignore: bool) -> Self {
        self.images.ignore_few_shot_caches = ignore;
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

    /// Makes the runs that are not finished, and returns how many have failed. Before the first, the
    /// images and class names of all runs are checked, so that no training is made whose measurement
    /// would fail. A run that another process is working on is skipped, and checked again after all
    /// others, until it is finished or that process has ended. A failed run is reported; the others
    /// are still made.
    ///
    /// # Errors
    /// Before any run is made: if the folder of one contains a run with another configuration.
    /// [`SweepError::Stopped`] if the process is asked to [stop](promptsrc::stop); nothing is lost then.
    pub fn make(
        &self,
        runs: &[PlannedRun],
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<usize, SweepError> {
        for run in runs {
            self.state(run)?;
        }
        let mut failed = 0;
        let mut left: Vec<&PlannedRun> = Vec::new();
        let mut checked = Checked::default();
        for run in runs {
            match self.check(run, &mut checked, observe) {
                Ok(()) => left.push(run),
                Err(error) => {
                    observe(&SweepEvent::Fail(run, &error));
                    failed += 1;
                }
            }
        }
        let mut reported = false;
        while !left.is_empty() {
            let work = |run: &&PlannedRun| {
                if stop::is_requested() {
                    return Err(SweepError::Stopped);
                }
                match self.attempt(run, observe) {
                    Ok(attempt) => Ok(attempt),
                    Err(error) if error.is_stop() => Err(SweepError::Stopped),
                    Err(error) => {
                        observe(&SweepEvent::Fail(run, &error));
                        Ok(Attempt::Ended(Err(error)))
                    }
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

    /// Fails, before any training, where the training images or what a run is measured on is not there,
    /// or the class names do not fit the CLIP. No image is opened.
    fn check(
        &self,
        run: &PlannedRun,
        checked: &mut Checked,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<(), SweepError> {
        let folder = self.folder(&run.id);
        let warn = |text: &str| observe(&SweepEvent::Warn(run, text));
        let result = RunResult::load(&folder)?;
        if let Some(result) = &result
            && self.is_finished(run, &folder, result, &warn)?
        {
            return Ok(());
        }
        if let Some(config) = &run.config {
            let (images, _) = self.images.training(run, config.seed(), &warn)?;
            images.check_for(config).map_err(TrainError::from)?;
        }
        for target in &run.targets {
            let key = (target.data_set.clone(), target.classes.to_string());
            if !checked.contains_key(&key) {
                let names = self.images.target(target, &warn)?.subset.class_names;
                checked.insert(key.clone(), names);
            }
            let names = checked.get(&key).map_or(&[][..], Vec::as_slice);
            match &run.config {
                Some(config) => {
                    check_names(self.clip, config, names)?;
                }
                None => {
                    let template = self.images.collection.template(&target.data_set);
                    tokens(self.clip, &template, names).map_err(ClassifierError::from)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a run is finished, and its measurements are of all images that would be measured now.
    fn is_finished(
        &self,
        run: &PlannedRun,
        folder: &Path,
        result: &RunResult,
        warn: &dyn Fn(&str),
    ) -> Result<bool, SweepError> {
        if self.state(run)? != RunState::Finished {
            return Ok(false);
        }
        let facts = result.facts.as_ref();
        if let Some(trained_on) = facts.and_then(|facts| facts.trained_on.as_ref())
            && trained_on.left_out > 0
        {
            // Whether the images are the same ones is found when they are read.
            return Ok(false);
        }
        if let Some(difference) = self.images.check_few_shot_cache(run, result, warn)? {
            return Err(SweepError::Changed {
                path: folder.to_path_buf(),
                difference,
            });
        }
        Ok(self.outdated(run, result, warn)?.is_empty())
    }

    /// The targets whose measurements left out images that may not be left out now, or that have been
    /// added.
    fn outdated(
        &self,
        run: &PlannedRun,
        result: &RunResult,
        warn: &dyn Fn(&str),
    ) -> Result<BTreeSet<(String, String)>, SweepError> {
        let missing_were_allowed = result.configuration.allow_missing;
        let mut outdated = BTreeSet::new();
        for target in &run.targets {
            if let Some(measured) = result.of(target)
                && (self.images).is_outdated(measured, target, missing_were_allowed, warn)?
            {
                outdated.insert((target.data_set.clone(), target.classes.to_string()));
            }
        }
        Ok(outdated)
    }

    fn attempt(
        &self,
        run: &PlannedRun,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Attempt, SweepError> {
        let folder = self.folder(&run.id);
        let measuring = folder.join(MEASURING);
        // What an interrupted process has left there is looked at under the lock.
        if !measuring.exists() && self.report_finished(run, &folder, observe)? {
            return Ok(Attempt::Ended(Ok(())));
        }
        let Some(lock) = lock(&folder)? else {
            return Ok(Attempt::Locked);
        };
        // Another process may have finished it before the lock was taken, or was interrupted at its very end.
        if self.report_finished(run, &folder, observe)? {
            let (saved, whole) = (RunResult::load(&measuring)?, RunResult::load(&folder)?);
            if let (Some(saved), Some(whole)) = (saved, whole)
                && saved.measured.iter().all(|of| whole.measured.contains(of))
            {
                let _ = std::fs::remove_dir_all(&measuring);
            }
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
        let result = self.measure(run, trained, &folder, &lock, observe)?;
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
        let warn = |text: &str| observe(&SweepEvent::Warn(run, text));
        let Some(result) = RunResult::load(folder)? else {
            return Ok(false);
        };
        if !self.is_finished(run, folder, &result, &warn)? {
            return Ok(false);
        }
        observe(&SweepEvent::End {
            run,
            result: &result,
            already_finished: true,
        });
        Ok(true)
    }

    /// Trains, unless that is done.
    fn train(
        &self,
        run: &PlannedRun,
        config: &MethodConfig,
        folder: &Path,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Trained, SweepError> {
        let name = &run.id.data_set;
        let warn = |text: &str| observe(&SweepEvent::Warn(run, text));
        let (images, mut facts) = self.images.training(run, config.seed(), &warn)?;
        if !run_folder::is_finished(folder) {
            for target in &run.targets {
                let begin = |data_set: &str, images| {
                    observe(&SweepEvent::Decode { data_set, images });
                };
                self.images.check_decodable(target, &warn, &begin)?;
            }
        }
        let images = images
            .readable(self.images.allow_unreadable)
            .and_then(|images| images.readable_validation(config, self.images.allow_unreadable))
            .map_err(|source| SweepError::data(name, source))?;
        facts.used = images.items.len();
        facts.unreadable = images.record.unreadable;
        facts.left_out += facts.unreadable;
        for warning in &images.warnings {
            observe(&SweepEvent::Warn(run, warning));
        }
        let spec = RunSpec {
            clip: self.clip,
            images,
            place: DataPlace {
                path: self.images.collection.location(name),
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
        lock: &Lock,
        observe: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<RunResult, SweepError> {
        let still_ours = || {
            lock.check().map_err(|source| SweepError::Io {
                path: folder.to_path_buf(),
                source,
            })
        };
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
        let (saved, measured_on) = match RunResult::load(&measuring)? {
            Some(saved) => (Some(saved), RunMachines::load(&measuring)?),
            None => (RunResult::load(folder)?, RunMachines::load(folder)?),
        };
        let asked = self.configuration(run);
        let usable = saved.filter(|saved| {
            saved.configuration.of_same_images() == asked.of_same_images()
                && saved.trained_on == trained_on
        });
        let warn = |text: &str| observe(&SweepEvent::Warn(run, text));
        let mut result = match usable {
            Some(mut saved) => {
                let outdated = self.outdated(run, &saved, &warn)?;
                saved.measured.retain(|measured| {
                    let key = (measured.data_set.clone(), measured.classes.clone());
                    !outdated.contains(&key)
                });
                saved.configuration = asked.clone();
                Some(saved)
            }
            None => None,
        }
        .unwrap_or_else(|| RunResult {
            fixed_classes: !run.answers_other_names(),
            facts: Some(Facts {
                program: program(),
                clip: self.clip.record().clone(),
                trained_on: training_facts,
            }),
            ..RunResult::new(run.id.clone(), asked, trained_on)
        });
        let mut machines = RunMachines {
            trained_on: match &adapter {
                Some(_) => trained_on_machines(folder)?,
                None => Vec::new(),
            },
            evaluated_on: match (result.measured.as_slice(), measured_on) {
                ([], _) => Vec::new(),
                (_, Some(saved)) => saved.evaluated_on,
                (_, None) => vec![None],
            },
        };
        let left: Vec<&Target> = run
            .targets
            .iter()
            .filter(|target| result.of(target).is_none())
            .collect();
        let mut chosen = Vec::new();
        for target in left {
            let of_target = self.images.target(target, &warn)?;
            self.warn_of(&of_target, adapter.as_ref(), &warn);
            chosen.push((target, of_target));
        }
        let total = chosen.iter().map(|(_, of)| of.images.items.len()).sum();
        let mut before = 0;
        let several = chosen.len() > 1;
        for (target, of_target) in chosen {
            let images = of_target.images.items.len();
            let mut progress = |done| {
                observe(&SweepEvent::Measure {
                    run,
                    done: before + done,
                    total,
                });
            };
            let measured =
                self.measure_target(target, of_target, adapter.as_ref(), &mut progress, &warn)?;
            result.measured.push(measured);
            machines.measured_on(Machine::of(self.clip));
            before += images;
            if several {
                still_ours()?;
                make_folder(&measuring)?;
                machines.save(&measuring)?;
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
        still_ours()?;
        // The result is written last, because its file marks the run as measured.
        machines.save(folder)?;
        result.save(folder)?;
        if measuring.exists() {
            // If it remains, nothing is lost: measuring again gives the same numbers.
            let _ = std::fs::remove_dir_all(&measuring);
        }
        Ok(result)
    }

    /// Measures one target.
    fn measure_target(
        &self,
        target: &Target,
        of_target: TargetImages,
        adapter: Option<&Adapter>,
        progress: &mut dyn FnMut(usize),
        warn: &dyn Fn(&str),
    ) -> Result<Measured, SweepError> {
        let TargetImages {
            opened,
            subset,
            images,
        } = of_target;
        let (names, items) = (subset.class_names, images.items);
        let classifier = match adapter {
            Some(adapter) => adapter.classifier(self.clip, &names)?.cached(self.clip),
            None => {
                let template = self.images.collection.template(&target.data_set);
                Classifier::zero_shot(self.clip, &names, &[template])?.cached(self.clip)
            }
        };
        let ReadableEvaluation {
            evaluation,
            unreadable,
            warning,
            ..
        } = classifier.evaluate_each(
            &items,
            self.threads,
            self.images.allow_unreadable,
            progress,
            &mut |_, _, _| (),
        )?;
        if let Some(warning) = warning {
            warn(&format!("{}: {warning}", target.data_set));
        }
        let items = items.into_iter().enumerate();
        let items = items.filter(|(place, _)| !unreadable.contains(place));
        let items: Vec<Item> = items.map(|(_, item)| item).collect();
        Ok(Measured {
            data_set: target.data_set.clone(),
            classes: target.classes.to_string(),
            names: names.len(),
            correct: evaluation.correct,
            total: evaluation.total,
            macro_f1: evaluation.macro_f1,
            images: fingerprint(&names, &items),
            image_facts: Some(ImageFacts {
                used: items.len(),
                left_out: images.missing + unreadable.len(),
                unreadable: unreadable.len(),
                split: opened.split.clone(),
                few_shot_cache: None,
            }),
        })
    }

    /// Says what a person should know about the images of a target.
    fn warn_of(&self, of_target: &TargetImages, adapter: Option<&Adapter>, warn: &dyn Fn(&str)) {
        if let Some(warning) = of_target.warning() {
            warn(&warning);
        }
        if let Some(adapter) = adapter {
            let (subset, items) = (&of_target.subset, &of_target.images.items);
            for warning in overlap_warnings(&adapter.meta, subset, Part::Test, items) {
                warn(&warning);
            }
        }
    }

    fn configuration(&self, run: &PlannedRun) -> Configuration {
        Configuration {
            clip: self.clip.record().fingerprint.clone(),
            clip_settings: self.clip.record().settings.clone(),
            preprocessing: Some(self.clip.preprocessing_record()),
            precision: self.clip.precision().to_string(),
            allow_missing: self.images.allow_missing,
            exif: self.images.upright,
            train: run.config.clone(),
        }
    }

    fn refuse_changed(
        &self,
        folder: &Path,
        saved: &Configuration,
        run: &PlannedRun,
    ) -> Result<(), SweepError> {
        let value = |configuration: &Configuration| {
            serde_json::to_value(configuration.of_same_images()).unwrap_or_default()
        };
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

/// The machines that a run was trained on, as its log says.
fn trained_on_machines(folder: &Path) -> Result<Vec<Option<Machine>>, SweepError> {
    let log = folder.join(run_folder::LOG);
    if !log.exists() {
        return Ok(vec![None]);
    }
    let (events, _) = run_folder::read_log(&log)?;
    Ok(match machines_of_training(&events) {
        none if none.is_empty() => vec![None],
        machines => machines,
    })
}
