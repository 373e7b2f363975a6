//! Files that PyTorch saves: opening them, naming their tensors, reading tensors.

mod archive;
mod dtype;
mod error;
mod format;
mod legacy;
mod names;
mod save;
mod tensor;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use promptsrc_files::InputFile;

pub use dtype::DType;
pub use error::TorchFileError;
pub use format::TorchFileKind;
pub use save::{Saved, SavedTensor, TorchSaveError, torch_save};
pub use tensor::TensorInfo;

use self::format::Parts;
use crate::value::{Node, Pickle};

/// An open file that PyTorch saved.
///
/// Opening reads the pickle and checks every tensor against the storages that are there; no
/// tensor is read before [`TorchFile::read`].
pub struct TorchFile {
    path: PathBuf,
    file: InputFile,
    kind: TorchFileKind,
    pickle: Pickle,
    storages: HashMap<String, Range<usize>>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl fmt::Debug for TorchFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TorchFile")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl TorchFile {
    /// Opens a file of any format in [`TorchFileKind`]; the content decides which.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, has none of these formats, or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TorchFileError> {
        let path = path.as_ref();
        let io = |source| TorchFileError::Io {
            path: path.to_path_buf(),
            source,
        };
        Self::of_input(path, InputFile::open(path).map_err(io)?)
    }

    /// As [`TorchFile::open`], from memory; errors call it `name`.
    ///
    /// # Errors
    ///
    /// Where the bytes have none of these formats, or are damaged.
    pub fn from_bytes(name: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self, TorchFileError> {
        Self::of_input(name.as_ref(), bytes.into())
    }

    fn of_input(path: &Path, mut file: InputFile) -> Result<Self, TorchFileError> {
        let io = |source| TorchFileError::Io {
            path: path.to_path_buf(),
            source,
        };
        let Parts {
            kind,
            pickle,
            storages,
        } = if *file.read(0..file.len().min(2)).map_err(io)? == *b"PK" {
            archive::take_apart(path, &file)?
        } else {
            // Its parts are found one after the other only.
            let bytes = file.read_all().map_err(io)?.into_owned();
            let parts = legacy::take_apart(path, &bytes)?;
            file = bytes.into();
            parts
        };
        let tensors = names::tensors(path, &pickle, &storages)?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
            kind,
            pickle,
            storages,
            tensors,
        })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's format.
    pub fn kind(&self) -> TorchFileKind {
        self.kind
    }

    /// Its pickle.
    pub fn pickle(&self) -> &Pickle {
        &self.pickle
    }

    /// The saved value, for what is not a tensor: an epoch, an optimiser's settings.
    pub fn root(&self) -> Node<'_> {
        self.pickle.root()
    }

    /// All tensors by dotted name: keys of dictionaries, attributes of objects and indices of
    /// lists on the path from the root, joined by dots. A module saved whole or as TorchScript
    /// gives the names of its state dictionary.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// A tensor's values in row-major order, little-endian.
    ///
    /// # Errors
    ///
    /// Where the tensor is not in this file, or repeats its storage so often that it would be
    /// larger than a storage ever is; where the file can no longer be read.
    pub fn read(&self, tensor: &TensorInfo) -> Result<Cow<'_, [u8]>, TorchFileError> {
        let failed = |problem| TorchFileError::Tensor {
            path: self.path.clone(),
            tensor: format!("of storage {}", tensor.storage()),
            problem,
        };
        let storage = self.storages.get(tensor.storage()).cloned();
        let storage = storage.unwrap_or_default();
        let needed = tensor.needed(storage.len()).map_err(failed)?;
        let read = self
            .file
            .read(storage.start + needed.start..storage.start + needed.end)
            .map_err(|source| TorchFileError::Io {
                path: self.path.clone(),
                source,
            })?;
        tensor.contiguous(read).map_err(failed)
    }
}
