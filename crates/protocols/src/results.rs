//! The result of a run, as a file in its folder, and the results of all runs below a folder.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, ImageFacts};
use crate::protocol::{Protocol, Target};
use crate::saved_json::save_json;
use promptsrc::config::MethodConfig;
use promptsrc::records::{ClipSettingsRecord, PreprocessingRecord};
use promptsrc_files::SaveError;

/// Name of the result file in a run's folder.
pub const RESULT: &str = "result.json";
const FORMAT_VERSION: u32 = 1;
/// How the name of the CLIP ends in results from logs of the Python reference.
pub(crate) const OF_REFERENCE: &str = "of the reference";
/// Levels of folders below that of a sweep: protocol, method, data set, shots, seed.
const DEPTH: usize = 5;

/// What identifies a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId {
    /// The protocol.
    pub protocol: Protocol,
    /// Name of the method.
    pub method: String,
    /// The data set that it trains on.
    pub data_set: String,
    /// Training images per class; `None` where nothing is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shots: Option<usize>,
    /// The seed; `None` where nothing is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// What a run's numbers depend on, apart from the images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// Fingerprint of the CLIP's weights.
    pub clip: String,
    /// Settings of the CLIP; `None` in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_settings: Option<ClipSettingsRecord>,
    /// Preprocessing of the images; `None` in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<PreprocessingRecord>,
    /// Precision of the arithmetic.
    pub precision: String,
    /// Whether missing images are skipped. It decides nothing by itself: each measurement records how
    /// many were.
    pub allow_missing: bool,
    /// Whether images are turned by their EXIF orientation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exif: bool,
    /// The settings of the training; `None` where nothing is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<MethodConfig>,
}

impl Configuration {
    /// What the numbers depend on where the images are the same ones.
    pub(crate) fn of_same_images(&self) -> Self {
        Self {
            allow_missing: false,
            ..self.clone()
        }
    }
}

/// The result of a run. It contains no time and no path, so a repeated run gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Version of the file format.
    pub format_version: u32,
    /// The run.
    pub run: RunId,
    /// Its configuration.
    pub configuration: Configuration,
    /// Fingerprint of the training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Whether what was learned belongs to the trained classes, so that others are not measured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed_classes: bool,
    /// What it may be compared with; `None` in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// Epochs that a log of the Python reference says; results of this program have them in their
    /// configuration.
    #[serde(skip)]
    pub logged_epochs: Option<usize>,
    /// The measurements, one per target.
    pub measured: Vec<Measured>,
}

/// A measurement on the test images of some classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The data set.
    pub data_set: String,
    /// "all", "base" or "novel".
    pub classes: String,
    /// Number of classes that were distinguished.
    pub names: usize,
    /// Images that were classified correctly.
    pub correct: u64,
    /// All images.
    pub total: u64,
    /// See [`Evaluation::macro_f1`](promptsrc::Evaluation::macro_f1).
    pub macro_f1: f64,
    /// Fingerprint of the images.
    pub images: String,
    /// Facts about the images; `None` in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_facts: Option<ImageFacts>,
}

/// A result that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not a result.
    #[error(
        "{} is not the result of a run: {source}; if it is damaged, remove it to have the run \
         measured again",
        path.display()
    )]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Its counts are impossible.
    #[error(
        "{}: {correct} of {total} images of {data_set} classified correctly, which is impossible; \
         remove the file to have the run measured again",
        path.display()
    )]
    Counts {
        /// The file.
        path: PathBuf,
        /// The data set.
        data_set: String,
        /// Images that are counted as correct.
        correct: u64,
        /// Number of images.
        total: u64,
    },
    /// It was written by a newer program.
    #[error(
        "{} has format version {found}; this program reads up to {FORMAT_VERSION}: use a newer one",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// There is nothing to collect.
    #[error("{}: no results of `promptsrc bench` in it", path.display())]
    None {
        /// The folder.
        path: PathBuf,
    },
}

impl RunId {
    /// Its folder below that of the sweep: `protocol/method/data set/shots_K/seed_S`, without the
    /// last two levels where nothing is learned.
    pub fn path(&self) -> PathBuf {
        let mut path: PathBuf = [self.protocol.name(), &self.method, &self.data_set]
            .iter()
            .collect();
        if let Some(shots) = self.shots {
            path.push(format!("shots_{shots}"));
        }
        if let Some(seed) = self.seed {
            path.push(format!("seed_{seed}"));
        }
        path
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.data_set, self.method)?;
        if let Some(shots) = self.shots {
            write!(f, ", shots {shots}")?;
        }
        if let Some(seed) = self.seed {
            write!(f, ", seed {seed}")?;
        }
        Ok(())
    }
}

impl Measured {
    /// Percentage of the images that were classified correctly.
    pub fn accuracy(&self) -> f64 {
        100.0 * self.correct as f64 / self.total as f64
    }
}

impl RunResult {
    /// A result without measurements.
    pub fn new(run: RunId, configuration: Configuration, trained_on: Option<String>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            run,
            configuration,
            trained_on,
            fixed_classes: false,
            facts: None,
            logged_epochs: None,
            measured: Vec::new(),
        }
    }

    /// Whether it is read from a log of the Python reference.
    pub(crate) fn trained_by_reference(&self) -> bool {
        self.configuration.clip.ends_with(OF_REFERENCE)
    }

    /// The measurement on a target.
    pub fn of(&self, target: &Target) -> Option<&Measured> {
        self.measured
            .iter()
            .find(|m| m.data_set == target.data_set && m.classes == target.classes.to_string())
    }

    /// Saves it in a run's folder, atomically.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save(&self, folder: &Path) -> Result<(), SaveError> {
        save_json(folder.join(RESULT), self)
    }

    /// Reads the result in a run's folder; `None` where there is none.
    ///
    /// # Errors
    /// [`ResultError`].
    pub fn load(folder: &Path) -> Result<Option<Self>, ResultError> {
        let path = folder.join(RESULT);
        let bytes = match promptsrc_files::read_regular_json(&path, promptsrc_files::LARGEST_TEXT) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ResultError::Io { path, source }),
        };
        #[derive(Deserialize)]
        struct Versioned {
            format_version: u32,
        }
        let json = |source| ResultError::Json {
            path: path.clone(),
            source,
        };
        let Versioned {
            format_version: found,
        } = serde_json::from_slice(&bytes).map_err(json)?;
        if found > FORMAT_VERSION {
            return Err(ResultError::Version { path, found });
        }
        let result: Self = serde_json::from_slice(&bytes).map_err(json)?;
        match result
            .measured
            .iter()
            .find(|m| m.correct > m.total || m.total == 0)
        {
            Some(m) => Err(ResultError::Counts {
                data_set: m.data_set.clone(),
                correct: m.correct,
                total: m.total,
                path,
            }),
            None => Ok(Some(result)),
        }
    }
}

/// All results below the folder of a sweep with their folders, in the order of their ids.
///
/// # Errors
/// [`ResultError`] of the first that cannot be read.
pub fn collect(out: &Path) -> Result<Vec<(PathBuf, RunResult)>, ResultError> {
    let mut found = Vec::new();
    gather(out, DEPTH, &mut found)?;
    found.sort_by(|(a, x), (b, y)| x.run.cmp(&y.run).then_with(|| a.cmp(b)));
    Ok(found)
}

fn gather(
    folder: &Path,
    depth: usize,
    found: &mut Vec<(PathBuf, RunResult)>,
) -> Result<(), ResultError> {
    if let Some(result) = RunResult::load(folder)? {
        found.push((folder.to_path_buf(), result));
    }
    if depth == 0 {
        return Ok(());
    }
    let io = |source| ResultError::Io {
        path: folder.to_path_buf(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.path().is_dir() {
            gather(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}
