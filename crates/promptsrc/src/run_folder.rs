//! The folder of a run: its configuration, state, log, adapter and metrics.
//!
//! | file | content |
//! |---|---|
//! | `config.toml` | the resolved configuration |
//! | `state.safetensors` | the training state after the last epoch, or where the run was stopped, for a resume |
//! | `log.jsonl` | one event per line |
//! | `adapter.safetensors` | the learned parameters |
//! | `metrics.json` | figures of the finished run |
//! | `calibration.json` | the [calibration](crate::calibration) of the adapter, if it has one |
//!
//! Every file except the log is written to a temporary file and renamed, so that a killed process
//! leaves either the old or the new file. A resume cuts the log back to the last saved state.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use promptsrc_clip::Precision;
use promptsrc_clip::weights::WeightOptions;
use promptsrc_datasets::FewShotCache;

use crate::config::{MethodConfig, TrainConfig};
pub use crate::differences::differences;
use crate::events::Event;
pub use crate::state_file::StateError;

use crate::records::{ClipSettingsRecord, PreprocessingRecord};
use crate::state_file;
use crate::training::TrainingState;
use promptsrc_files::{
    LARGEST_TENSORS, LARGEST_TEXT, Lock, SaveError, open_regular, read_regular, read_regular_text,
    refuse_link, remove_leftovers, write_atomically,
};

/// Name of the adapter in a run folder.
pub const ADAPTER: &str = "adapter.safetensors";
/// Name of the calibration in a run folder.
pub const CALIBRATION: &str = "calibration.json";
/// Name of the configuration in a run folder.
pub const CONFIG: &str = "config.toml";
/// Name of the metrics in a run folder.
pub const METRICS: &str = "metrics.json";
/// Name of the state in a run folder.
pub const STATE: &str = "state.safetensors";
/// Name of the log in a run folder.
pub const LOG: &str = "log.jsonl";
const LOCK: &str = ".lock";
/// Most bytes of a configuration: parsing takes a hundred times as many.
pub const LARGEST_CONFIG: u64 = 1 << 20;

/// The resolved configuration of a run, as `config.toml` contains it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Version of the program that wrote it.
    pub version: String,
    /// The CLIP.
    pub clip: RunClip,
    /// The images.
    pub data: RunData,
    /// The method's configuration.
    pub train: MethodConfig,
}

/// Source and fingerprint of a run's CLIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunClip {
    /// Its absolute path, or its name on the hub.
    pub source: String,
    /// Fingerprint of its weights.
    pub fingerprint: String,
    /// Precision of the arithmetic; a resumed run must use the same one.
    #[serde(default = "first_precision")]
    pub precision: String,
    /// Settings that were given because its files do not say them.
    #[serde(default, skip_serializing_if = "WeightOptions::is_empty")]
    pub stated: WeightOptions,
    /// All settings; `None` in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<ClipSettingsRecord>,
    /// Preprocessing of the images; `None` in runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<PreprocessingRecord>,
}

/// Precision of runs that do not record one: earlier versions only had f32.
fn first_precision() -> String {
    Precision::F32.to_string()
}

/// Location of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataPlace {
    /// Absolute path, or the name of a built-in data set.
    pub path: String,
    /// Absolute path of the split file.
    pub split: Option<String>,
    /// Absolute path of the class names.
    pub class_names: Option<String>,
}

/// Location of a run's images, and which of them are used for training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunData {
    /// Absolute path, or the name of a built-in data set.
    pub path: String,
    /// Absolute path of the split file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Absolute path of the class names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_names: Option<String>,
    /// "all", "base" or "novel".
    pub classes: String,
    /// Shots per class; `None`: all images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shots: Option<usize>,
    /// Whether missing images are left out.
    pub allow_missing: bool,
    /// Fingerprint of the training list: paths and labels in order.
    #[serde(alias = "pictures")]
    pub images: String,
    /// Fingerprint of the validation list, if the method chooses settings on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<String>,
    /// Whether the images are turned by their EXIF orientation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exif: bool,
    /// The file of the reference that the few-shot images are from, if they are not drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot_cache: Option<FewShotCache>,
}

/// A run folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A file cannot be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// Another process uses the folder.
    #[error("{} is in use by another promptsrc process; wait for it or choose another folder", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder already contains a run.
    #[error(
        "{} already contains a run: give --resume to continue it, or choose another folder",
        path.display()
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The run in the folder has another configuration.
    #[error(
        "{} contains a run with another configuration ({difference}): give the same options to \
         resume it, or choose another folder",
        path.display()
    )]
    Changed {
        /// The folder.
        path: PathBuf,
        /// The first differences.
        difference: String,
    },
    /// The configuration cannot be read.
    #[error("{} is not a valid run configuration: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The error of the parser.
        source: Box<toml::de::Error>,
    },
    /// The state cannot be read.
    #[error("cannot resume: {0}")]
    State(#[from] StateError),
}

/// A run folder that this process has locked.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    log: File,
    lock: Lock,
}

/// A run folder with the state that is saved in it, if any.
#[derive(Debug)]
pub struct OpenedRun {
    /// The folder.
    pub folder: RunFolder,
    /// The last saved state: after an epoch, or where the run was stopped.
    pub state: Option<TrainingState>,
}

impl RunFolder {
    /// Starts a run in a folder, which is created if it does not exist, or continues the run in it
    /// if `resume` is set. Without `resume`, a folder that contains a run is not changed.
    pub fn open(path: &Path, config: &RunConfig, resume: bool) -> Result<OpenedRun, RunError> {
        let io = |source| RunError::Io {
            path: path.into(),
            source,
        };
        std::fs::create_dir_all(path).map_err(io)?;
        let lock_path = path.join(LOCK);
        let lock = Lock::take_patiently(&lock_path).map_err(|source| RunError::Io {
            path: lock_path,
            source,
        })?;
        let Some(lock) = lock else {
            return Err(RunError::Locked { path: path.into() });
        };
        remove_leftovers(path);

        // Before the first epoch is saved, there is nothing to resume and nothing to lose.
        let holds = is_begun(path);
        if holds && !resume {
            return Err(RunError::Occupied { path: path.into() });
        }
        let config_path = path.join(CONFIG);
        if holds && config_path.exists() {
            let saved = read_config(&config_path)?;
            if let Some(difference) = difference(&saved, config) {
                return Err(RunError::Changed {
                    path: path.into(),
                    difference,
                });
            }
        } else {
            let text = toml::to_string(config).map_err(|e| io(std::io::Error::other(e)))?;
            write_atomically(&config_path, text.as_bytes())?;
        }
        let state_path = path.join(STATE);
        let state = match state_path.exists() {
            true => Some(state_file::load(&state_path)?),
            false => None,
        };
        let log = open_log(&path.join(LOG), state.as_ref())?;
        Ok(OpenedRun {
            folder: Self {
                path: path.into(),
                log,
                lock,
            },
            state,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the adapter file.
    pub fn adapter(&self) -> PathBuf {
        self.path.join(ADAPTER)
    }

    /// Appends an event to the log.
    pub fn log(&mut self, event: &Event) -> Result<(), RunError> {
        let mut line = serde_json::to_string(event).unwrap_or_default();
        line.push('\n');
        self.log
            .write_all(line.as_bytes())
            .map_err(|source| RunError::Io {
                path: self.path.join(LOG),
                source,
            })
    }

    /// Checks that a run of this configuration, with parameters of these shapes, can have saved the state.
    pub(crate) fn check_state(
        &self,
        state: &TrainingState,
        config: &TrainConfig,
        shapes: &[(String, Vec<usize>)],
    ) -> Result<(), RunError> {
        let path = self.path.join(STATE);
        Ok(state_file::check(&path, state, config, shapes)?)
    }

    /// Saves the state.
    pub fn save_state(&self, state: &TrainingState) -> Result<(), RunError> {
        self.check()?;
        Ok(state_file::save(&self.path.join(STATE), state)?)
    }

    /// Fails if another machine has taken the folder over, because this process gave no sign of life:
    /// before anything is saved.
    pub fn check(&self) -> Result<(), RunError> {
        self.lock.check().map_err(|source| RunError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// Saves the metrics.
    pub fn save_metrics(&self, metrics: &impl Serialize) -> Result<(), RunError> {
        self.check()?;
        let path = self.path.join(METRICS);
        let mut text = serde_json::to_string_pretty(metrics).map_err(|e| RunError::Io {
            path: path.clone(),
            source: std::io::Error::other(e),
        })?;
        text.push('\n');
        Ok(write_atomically(&path, text.as_bytes())?)
    }
}

/// The events of a run's log, and how many of its lines are no events: the last one of a process that was
/// killed while it wrote.
///
/// # Errors
/// [`RunError::Io`] if the file cannot be read.
pub fn read_log(path: &Path) -> Result<(Vec<Event>, usize), RunError> {
    let bytes = read_regular(path, LARGEST_TEXT).map_err(|source| RunError::Io {
        path: path.into(),
        source,
    })?;
    let (mut events, mut unreadable) = (Vec::new(), 0);
    let lines = bytes.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            Err(_) => unreadable += 1,
        }
    }
    Ok((events, unreadable))
}

/// Whether a folder contains a run with at least one saved epoch.
pub fn is_begun(folder: &Path) -> bool {
    [STATE, ADAPTER]
        .iter()
        .any(|name| folder.join(name).exists())
}

/// Whether a folder contains a finished run.
pub fn is_finished(folder: &Path) -> bool {
    // The metrics are written last, so their file marks a finished run.
    [METRICS, ADAPTER]
        .iter()
        .all(|name| folder.join(name).exists())
}

/// Copies a finished run to another folder.
///
/// # Errors
/// [`RunError::Io`] if a file cannot be read, [`RunError::Save`] if one cannot be written.
pub fn copy_finished(from: &Path, to: &Path) -> Result<(), RunError> {
    // The metrics are copied last, because their file marks the run as finished.
    for name in [CONFIG, LOG, STATE, ADAPTER, METRICS] {
        let path = from.join(name);
        let bytes =
            read_regular(&path, LARGEST_TENSORS).map_err(|source| RunError::Io { path, source })?;
        write_atomically(&to.join(name), &bytes)?;
    }
    Ok(())
}

/// Reads the state file of a run.
///
/// # Errors
/// [`StateError`] if the file cannot be read or its content is invalid.
pub fn read_state(path: &Path) -> Result<TrainingState, StateError> {
    state_file::load(path)
}

/// Reads the configuration of a run.
pub fn read_config(path: &Path) -> Result<RunConfig, RunError> {
    let text = read_regular_text(path, LARGEST_CONFIG).map_err(|source| RunError::Io {
        path: path.into(),
        source,
    })?;
    toml::from_str(&text).map_err(|source| RunError::Config {
        path: path.into(),
        source: Box::new(source),
    })
}

/// The settings in which a saved configuration differs from the requested one. Paths may differ,
/// because a run, its CLIP and its images can be moved; the fingerprints must be equal. Where those of
/// the training images are, it does not matter whether missing ones would have been left out, and
/// where the few-shot images are from.
pub fn difference(saved: &RunConfig, asked: &RunConfig) -> Option<String> {
    let same_images = saved.data.images == asked.data.images;
    let comparable = |config: &RunConfig| {
        let mut config = config.clone();
        config.version = String::new();
        config.clip.source = String::new();
        // The settings that follow from it are compared.
        config.clip.stated = WeightOptions::default();
        if saved.clip.settings.is_none() {
            (config.clip.settings, config.clip.preprocessing) = (None, None);
        }
        config.data.path = String::new();
        config.data.split = None;
        config.data.class_names = None;
        config.data.allow_missing = false;
        if same_images {
            config.data.few_shot_cache = None;
        }
        serde_json::to_value(&config).unwrap_or_default()
    };
    difference_of(&comparable(saved), &comparable(asked))
}

/// The values in which a saved JSON document differs from the requested one, as text for a message.
pub fn difference_of(saved: &serde_json::Value, asked: &serde_json::Value) -> Option<String> {
    differences([saved, asked], ["in the folder", "requested"])
}

/// Opens the log for appending and removes the lines after the saved state: a killed process may have
/// written lines, or a part of a line, of steps that will be repeated.
fn open_log(path: &Path, state: Option<&TrainingState>) -> Result<File, RunError> {
    let (epoch, step) = state.map_or((0, 0), |state| (state.epoch, state.step));
    let io = |source| RunError::Io {
        path: path.into(),
        source,
    };
    refuse_link(path).map_err(io)?;
    if path.exists() {
        let mut kept = Vec::new();
        let mut reader = BufReader::new(open_regular(path).map_err(io)?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(io)? > 0 {
            let event: Option<Event> = serde_json::from_slice(&line).ok();
            let whole = line.ends_with(b"\n");
            if whole && event.is_some_and(|event| event.is_before(epoch, step)) {
                kept.extend_from_slice(&line);
            }
            line.clear();
        }
        write_atomically(path, &kept)?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(io)
}
