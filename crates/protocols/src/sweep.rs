//! Makes the runs of a plan: what is finished stands, what is half done goes on, what another
//! process is at is left to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use promptsrc_clip::ClipModel;
use promptsrc_datasets::{DataError, Dataset, Item, Part};
use rayon::ThreadPoolBuildError;

use crate::jobs;
use crate::plan::PlannedRun;
use crate::protocol::{Protocol, Target, classes_name};
use crate::results::{Configuration, Measured, ResultError, RunId, RunResult};
use crate::root::{Root, RootError};
use promptsrc::Event;
use promptsrc::adapter::{ClipRecord, DataRecord};
use promptsrc::config::TrainConfig;
use promptsrc::image_list;
use promptsrc::methods::{MethodError, Training};
use promptsrc::run_folder::{self, RunClip, RunConfig, RunData, RunError};
use promptsrc::train::{TrainData, TrainError, TrainJob};
use promptsrc::{EvaluateError, evaluate};
use promptsrc_files::{Lock, SaveError, write_atomically};

/// Held while a run is made. The system lets go of it when the process ends, however it ends.
const LOCK: &str = ".run-lock";
/// What has been measured of a run that is not finished; hidden, so that nobody collects it.
const MEASURING: &str = ".measuring";
/// How often a run that another process is at is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Makes runs in folders below one.
pub struct Sweep<'a> {
    clip: &'a ClipModel,
    clip_record: ClipRecord,
    clip_source: String,
    root: &'a dyn Root,
    out: PathBuf,
    allow_missing: bool,
    at_once: usize,
    threads: usize,
    data_sets: Mutex<BTreeMap<String, Arc<Dataset>>>,
}

/// What a sweep tells while it works; from several threads at once where it makes several runs at
/// once.
#[derive(Debug)]
pub enum SweepEvent<'a> {
    /// A run begins, or goes on.
    Begin(&'a PlannedRun),
    /// Its training reports.
    Train(&'a PlannedRun, &'a Event),
    /// So many test images of all its targets are classified.
    Measure {
        /// The run.
        run: &'a PlannedRun,
        /// Images so far.
        done: usize,
        /// Images in all, as far as is known.
        total: usize,
    },
    /// Something that a person should know.
    Warn(&'a PlannedRun, &'a str),
    /// A run is finished.
    End {
        /// The run.
        run: &'a PlannedRun,
        /// What came of it.
        result: &'a RunResult,
        /// Whether it had been finished before.
        stood: bool,
    },
    /// A run has failed; the others go on.
    Fail(&'a PlannedRun, &'a SweepError),
    /// All that is left to do are runs that other processes are at.
    Wait(usize),
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Nothing is done.
    New,
    /// It has been begun.
    Begun,
    /// It is finished.
    Finished,
}

impl RunState {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Begun => "begun",
            Self::Finished => "finished",
        }
    }
}

/// A run that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The run there has another configuration.
    #[error(
        "{} holds a run with another configuration ({difference}): give the same options to go on \
         with it, or choose another folder",
        path.display()
    )]
    Changed {
        /// Its folder.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A data set.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The images of a data set.
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

/// What became of an attempt at a run.
enum Attempt {
    /// It is finished, or has failed, which has been told.
    Over(Result<(), SweepError>),
    /// Another process is at it.
    Locked,
}

impl<'a> Sweep<'a> {
    /// A sweep with a CLIP over a root, in the folder `out`. `clip_source`: where the CLIP is, as
    /// run folders remember it.
    pub fn new(
        clip: &'a ClipModel,
        clip_record: ClipRecord,
        clip_source: String,
        root: &'a dyn Root,
        out: &Path,
    ) -> Self {
        Self {
            clip,
            clip_record,
            clip_source,
            root,
            out: out.to_path_buf(),
            allow_missing: false,
            at_once: 1,
            threads: 1,
            data_sets: Mutex::default(),
        }
    }

    /// Leaves out images that are missing.
    pub fn allow_missing(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    /// Makes so many runs at once, each on one thread: right for a small CLIP. With 1, a run has
    /// all threads of the arithmetic and `decoding` more that prepare images. The results do not
    /// depend on either.
    pub fn threads(mut self, at_once: usize, decoding: usize) -> Self {
        self.at_once = at_once.max(1);
        self.threads = decoding;
        self
    }

    /// The folder of a run.
    pub fn folder(&self, run: &RunId) -> PathBuf {
        self.out.join(run.path())
    }

    /// How far a run is.
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

    /// Makes those of the runs that are not finished. A run that another process is at is passed
    /// over, and looked at again when all else is done, until it is finished or left. A run that
    /// fails is told and does not keep the others from being made.
    ///
    /// # Errors
    /// Before anything is made: where a run's folder holds one of another configuration. At the
    /// end: how many runs have failed, as `Ok`.
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
        let mut told = false;
        while !left.is_empty() {
            let work = |run: &&PlannedRun| match self.attempt(run, observe) {
                Ok(attempt) => Ok::<Attempt, SweepError>(attempt),
                Err(error) => {
                    observe(&SweepEvent::Fail(run, &error));
                    Ok(Attempt::Over(Err(error)))
                }
            };
            let attempts = match self.at_once {
                1 => left.iter().map(work).collect::<Result<Vec<_>, _>>()?,
                several => jobs::one_a_thread(&left, several, work)?,
            };
            let mut locked = Vec::new();
            for (run, attempt) in left.iter().zip(attempts) {
                match attempt {
                    Attempt::Over(Ok(())) => {}
                    Attempt::Over(Err(_)) => failed += 1,
                    Attempt::Locked => locked.push(*run),
                }
            }
            left = locked;
            if !left.is_empty() {
                if !told {
                    observe(&SweepEvent::Wait(left.len()));
                    told = true;
                }
                std::thread::sleep(LOOK_AGAIN);
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
        if self.tell_finished(run, &folder, observe)? {
            return Ok(Attempt::Over(Ok(())));
        }
        let Some(_lock) = lock(&folder)? else {
            return Ok(Attempt::Locked);
        };
        // Another process may have finished it between the two lines above.
        if self.tell_finished(run, &folder, observe)? {
            return Ok(Attempt::Over(Ok(())));
        }
        observe(&SweepEvent::Begin(run));
        let trained_on = match (run.method.training(), &run.config) {
            (Some(training), Some(config)) => {
                match self.train(run, training, config, &folder, observe) {
                    // Someone trains there by hand.
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
            stood: false,
        });
        Ok(Attempt::Over(Ok(())))
    }

    fn tell_finished(
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
                stood: true,
            });
        }
        Ok(true)
    }

    /// Trains what is not trained, and gives the fingerprint of the images.
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
                path: self.root.place(name),
                split: None,
                class_names: None,
                classes: classes_name(classes).to_string(),
                shots: run.id.shots,
                allow_missing: self.allow_missing,
                images: fingerprint.clone(),
            },
            train: config.clone(),
        };
        self.take_over(run, training, &run_config, folder)?;
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

    /// Cross-dataset transfer and domain generalisation learn the same: what one of them has
    /// learned to the end is copied for the other.
    fn take_over(
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
        // The metrics last: they say that the training is whole.
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
        // Of an earlier choice of targets, or of a process that was killed.
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
            let template = self.root.template(&target.data_set);
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
        // In the order of the plan, whichever was measured first.
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
            // What is left of it would be measured again, to the same numbers.
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
        // All training images: which classes are base does not depend on shots or seed.
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

    /// Reads a data set once.
    fn data_set(&self, name: &str) -> Result<Arc<Dataset>, SweepError> {
        let mut read = self
            .data_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(dataset) = read.get(name) {
            return Ok(dataset.clone());
        }
        let dataset = Arc::new(self.root.open(name)?);
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
