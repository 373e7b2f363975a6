//! Why a log cannot be read.

use std::path::PathBuf;

/// A log that gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceLogError {
    /// The file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Far larger than any log.
    #[error("{} is larger than {limit} bytes: no log of the reference", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest log that is read.
        limit: u64,
    },
    /// Neither a configuration nor a result.
    #[error(
        "{} is no log of the reference: it holds neither \"** Config **\" nor \"=> result\"",
        path.display()
    )]
    NoLog {
        /// The file.
        path: PathBuf,
    },
}
