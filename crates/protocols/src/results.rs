//! The result of a run, as a file in its folder, and all results below a folder.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::protocol::{Protocol, Target, classes_name};
use promptsrc::config::TrainConfig;
use promptsrc_files::{SaveError, write_atomically};

/// Name of the result in a run's folder.
pub const RESULT: &str = "result.json";
const FORMAT_VERSION: u32 = 1;
/// Folders between that of a sweep and a result: protocol, method, data set, shots, seed.
const DEPTH: usize = 5;

/// What a run is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId {
    /// The protocol.
    pub protocol: Protocol,
    /// Name of the method.
    pub method: String,
    /// The data set that it learns on.
    pub data_set: String,
    /// Images a class; none where nothing is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shots: Option<usize>,
    /// The seed; none where nothing is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// What decides a run's numbers, apart from the images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configuration {
    /// Fingerprint of the CLIP's weights.
    pub clip: String,
    /// Precision of the arithmetic.
    pub precision: String,
    /// Whether images that are missing are left out.
    pub allow_missing: bool,
    /// The training; none where nothing is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainConfig>,
}

/// What came of a run. It holds no time and no path: a run that was made again has the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Version of the file's format.
    pub format_version: u32,
    /// The run.
    pub run: RunId,
    /// How it was made.
    pub configuration: Configuration,
    /// Fingerprint of the images that it learned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// What was measured, target by target.
    pub measured: Vec<Measured>,
}

/// A measurement on the test images of some classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The data set.
    pub data_set: String,
    /// "all", "base" or "novel".
    pub classes: String,
    /// Number of classes that were told apart.
    pub names: usize,
    /// Images whose class was recognised.
    pub correct: u64,
    /// All images.
    pub total: u64,
    /// See [`Evaluation::macro_f1`](crate::Evaluation::macro_f1).
    pub macro_f1: f64,
    /// Fingerprint of the images.
    pub images: String,
}

/// A result that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no result.
    #[error(
        "{} is no result of a run: {source}; if it is damaged, remove it to have the run measured \
         again",
        path.display()
    )]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Numbers that no measurement has.
    #[error(
        "{}: {correct} of {total} images recognised on {data_set}; remove the file to have the \
         run measured again",
        path.display()
    )]
    Counts {
        /// The file.
        path: PathBuf,
        /// The data set.
        data_set: String,
        /// Images that are said to be recognised.
        correct: u64,
        /// Images in all.
        total: u64,
    },
    /// A newer program has written it.
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
    /// last two where nothing is learned.
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
    /// Share of the images that was recognised, in per cent.
    pub fn accuracy(&self) -> f64 {
        100.0 * self.correct as f64 / self.total as f64
    }
}

impl RunResult {
    /// A result that has nothing measured yet.
    pub fn new(run: RunId, configuration: Configuration, trained_on: Option<String>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            run,
            configuration,
            trained_on,
            measured: Vec::new(),
        }
    }

    /// What was measured on a target.
    pub fn of(&self, target: &Target) -> Option<&Measured> {
        self.measured
            .iter()
            .find(|m| m.data_set == target.data_set && m.classes == classes_name(target.classes))
    }

    /// Saves it in a run's folder, all or nothing.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn save(&self, folder: &Path) -> Result<(), SaveError> {
        let path = folder.join(RESULT);
        let mut text = serde_json::to_string_pretty(self).map_err(|e| SaveError {
            path: path.clone(),
            source: std::io::Error::other(e),
        })?;
        text.push('\n');
        write_atomically(&path, text.as_bytes())
    }

    /// Reads that of a run's folder, if it has one.
    ///
    /// # Errors
    /// [`ResultError`].
    pub fn load(folder: &Path) -> Result<Option<Self>, ResultError> {
        let path = folder.join(RESULT);
        let bytes = match std::fs::read(&path) {
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

/// All results below the folder of a sweep, in the order of their ids, with their folders.
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
