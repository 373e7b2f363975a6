//! What can be wrong with a file that PyTorch saved.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::PickleError;

/// A file that cannot be opened as a PyTorch file, or a tensor that cannot be read from it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TorchFileError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is neither a torch archive nor a pickle.
    #[error(
        "{}: not a file that torch.save or torch.jit.save wrote: it begins with {start}",
        path.display()
    )]
    NotTorch {
        /// The file.
        path: PathBuf,
        /// Its first bytes, for the message.
        start: String,
    },
    /// The zip archive around the tensors is damaged.
    #[error("{}: the archive is damaged or cut off: {problem}; copy or download it again", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A zip archive without PyTorch's entries.
    #[error("{}: a zip archive, but not a torch file: it has no entry {missing}", path.display())]
    NoEntry {
        /// The file.
        path: PathBuf,
        /// The entry.
        missing: String,
    },
    /// An entry that is compressed or encrypted, which PyTorch's are not.
    #[error(
        "{}: entry {entry} is {how}; torch stores its entries uncompressed: save the file again with torch.save",
        path.display()
    )]
    NotStored {
        /// The file.
        path: PathBuf,
        /// The entry.
        entry: String,
        /// Compressed by what, or encrypted.
        how: String,
    },
    /// Numbers in the other byte order.
    #[error(
        "{}: written on a big-endian machine ({found:?}); load it with torch.load on this one and save it again with torch.save",
        path.display()
    )]
    BigEndian {
        /// The file.
        path: PathBuf,
        /// What the file says about its byte order.
        found: String,
    },
    /// The pickle does not parse.
    #[error("{}: {entry}: {source}", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// The entry or part of the file.
        entry: String,
        /// What is wrong with it.
        source: PickleError,
    },
    /// A pickle that is not one of `torch.save`.
    #[error(
        "{}: a plain pickle, not a file of torch.save{}",
        path.display(),
        code.as_ref().map(|name| format!(" (and it calls {name}: do not open it with Python)")).unwrap_or_default()
    )]
    PlainPickle {
        /// The file.
        path: PathBuf,
        /// A function by which it would run code in Python.
        code: Option<String>,
    },
    /// A format that is not supported.
    #[error(
        "{}: {what}; open it with torch.load where it was made and save it again with torch.save",
        path.display()
    )]
    OldFormat {
        /// The file.
        path: PathBuf,
        /// What is not supported.
        what: String,
    },
    /// A tensor that does not fit its storage, or is of a kind that is not supported.
    #[error("{}: tensor {tensor}: {problem}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's dotted name.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Values that contain each other so often that naming the tensors would not end.
    #[error("{}: values contain each other too often to name the tensors", path.display())]
    Entangled {
        /// The file.
        path: PathBuf,
    },
}
