//! The errors of reading logs.

use std::path::PathBuf;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceLogError {
    /// The file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// It is larger than any log.
    #[error("{} is larger than {limit} bytes: it is not a log of the reference", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest log that is read.
        limit: u64,
    },
    /// It has neither a configuration nor a result.
    #[error(
        "{} is not a log of the reference: it contains neither \"** Config **\" nor \"=> result\"",
        path.display()
    )]
    NoLog {
        /// The file.
        path: PathBuf,
    },
}
