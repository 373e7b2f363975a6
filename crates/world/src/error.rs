//! What can go wrong with the world's data sets and its CLIP.

use std::path::PathBuf;

/// Why a data set of the world could not be found or written, or the built-in CLIP not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// There is no data set with that name.
    #[error("the world has no data set {name:?}; it has {}", known.join(", "))]
    UnknownSet {
        /// The name asked for.
        name: String,
        /// The names of all data sets.
        known: Vec<&'static str>,
    },
    /// A file or folder could not be written.
    #[error("{}: cannot be written: {reason}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system or of the encoder.
        reason: std::io::Error,
    },
    /// The CLIP that is built into the program cannot be read.
    #[error("the built-in CLIP is damaged: {0}")]
    Mini(std::io::Error),
}
