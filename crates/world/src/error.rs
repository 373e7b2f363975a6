//! What can go wrong with the world's data sets.

use std::path::PathBuf;

/// Why a data set of the world could not be had or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// There is no data set of that name.
    #[error("the world has no data set {name:?}; it has {}", known.join(", "))]
    UnknownSet {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A file or folder could not be written.
    #[error("{}: cannot be written: {reason}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's or the encoder's words.
        reason: std::io::Error,
    },
    /// The CLIP inside the program cannot be read.
    #[error("the built-in CLIP is damaged: {0}")]
    Mini(std::io::Error),
}
