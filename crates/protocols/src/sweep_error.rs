//! Why a run of a sweep cannot be made.

use std::path::PathBuf;

use promptsrc::run_folder::RunError;
use promptsrc::{ClassifierError, DataError, EvaluateError, FeatureError, TrainError};
use promptsrc_files::SaveError;
use rayon::ThreadPoolBuildError;

use crate::collection::CollectionError;
use crate::results::ResultError;
use crate::run_machines::MachinesError;

/// Why a run cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The folder contains a run with another configuration.
    #[error(
        "{} contains a run with another configuration ({difference}): give the same options to \
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
    /// The machines that it was made on.
    #[error(transparent)]
    Machines(#[from] MachinesError),
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
    Classifier(#[from] ClassifierError),
    /// A measurement.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// It was asked to stop: what is finished is kept, and the same sweep goes on there.
    #[error("stopped")]
    Stopped,
    /// Threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] ThreadPoolBuildError),
}

impl SweepError {
    /// Whether the run was [stopped](promptsrc::stop), and has not failed.
    pub fn is_stop(&self) -> bool {
        matches!(
            self,
            Self::Stopped
                | Self::Train(
                    TrainError::Stopped { .. } | TrainError::Features(FeatureError::Stopped { .. })
                )
                | Self::Evaluate(EvaluateError::Stopped { .. })
        )
    }

    pub(crate) fn data(name: &str, source: DataError) -> Self {
        Self::Data {
            name: name.to_string(),
            source: Box::new(source),
        }
    }
}
