//! The tensors of weight files, under the names and in the layout of the files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use promptsrc_files::InputFile;
use promptsrc_pickle::{DType, TensorInfo, TorchFile, TorchFileError, TorchFileKind};
use safetensors::SafeTensorError;
use safetensors::tensor::Metadata;

use super::convert::FloatType;
use super::error::WeightError;
use super::format::Container;

/// The tensors of one weight file, or of the parts of one.
pub(super) struct Source {
    pub(super) container: Container,
    on_disk: bool,
    files: Vec<Opened>,
    tensors: BTreeMap<String, Stored>,
}

enum Opened {
    Safetensors(InputFile),
    Torch(TorchFile),
}

/// One tensor under the name that the file gives it.
pub(super) struct Stored {
    pub(super) shape: Vec<usize>,
    /// `None` if it does not hold floats.
    pub(super) dtype: Option<FloatType>,
    /// The type's name in the file.
    pub(super) type_name: String,
    file: usize,
    place: Place,
}

enum Place {
    /// Bytes of the safetensors file.
    Bytes(Range<usize>),
    Torch(TensorInfo),
}

impl Source {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, WeightError> {
        let mut source = Self::empty();
        for path in paths {
            source.add(path)?;
        }
        Ok(source)
    }

    /// A safetensors file in memory; `name` stands for its path in messages.
    pub(super) fn of_bytes(name: &Path, bytes: Vec<u8>) -> Result<Self, WeightError> {
        let mut source = Self::empty();
        source.on_disk = false;
        source.add_safetensors(name, bytes.into())?;
        Ok(source)
    }

    fn empty() -> Self {
        Self {
            on_disk: true,
            container: Container::Safetensors,
            files: Vec::new(),
            tensors: BTreeMap::new(),
        }
    }

    /// Whether these are files in a folder, which may hold other files.
    pub(super) fn is_on_disk(&self) -> bool {
        self.on_disk
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(name)
    }

    /// A tensor's bytes in row-major order.
    pub(super) fn read(
        &self,
        path: &Path,
        name: &str,
    ) -> Result<(FloatType, Cow<'_, [u8]>), WeightError> {
        let changed = || WeightError::Changed {
            path: path.to_path_buf(),
            tensor: name.to_string(),
        };
        let stored = self.get(name).ok_or_else(changed)?;
        let dtype = stored.dtype.ok_or_else(changed)?;
        let bytes = match (self.files.get(stored.file), &stored.place) {
            (Some(Opened::Safetensors(file)), Place::Bytes(range)) => file
                .read(range.clone())
                .map_err(|source| shortened(path, name, source))?,
            (Some(Opened::Torch(file)), Place::Torch(info)) => {
                file.read(info).map_err(|error| match error {
                    TorchFileError::Io { source, .. } => shortened(path, name, source),
                    other => other.into(),
                })?
            }
            _ => return Err(changed()),
        };
        Ok((dtype, bytes))
    }

    fn add(&mut self, path: &Path) -> Result<(), WeightError> {
        let io = |source| WeightError::Io {
            path: path.to_path_buf(),
            source,
        };
        let start = beginning(path)?;
        let extension = path.extension().unwrap_or_default();
        // A safetensors file begins with the length of its header, which is a JSON object. The length
        // may spell anything, the beginning of a web page included.
        let is_json = start.get(8) == Some(&b'{');
        if is_json || (extension == "safetensors" && !is_torch(&start)) {
            let fits = is_json && header_fits(path, &start)?;
            if !fits && let Some(what) = something_else(&start) {
                return Err(WeightError::NotWeights {
                    path: path.to_path_buf(),
                    what,
                });
            }
            self.add_safetensors(path, InputFile::open(path).map_err(io)?)
        } else {
            self.add_torch(path, &start)
        }
    }

    fn add_safetensors(&mut self, path: &Path, file: InputFile) -> Result<(), WeightError> {
        let (data, metadata) = header(path, &file)?;
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let stored = Stored {
                shape: info.shape.clone(),
                dtype: match info.dtype {
                    safetensors::Dtype::F16 => Some(FloatType::F16),
                    safetensors::Dtype::BF16 => Some(FloatType::Bf16),
                    safetensors::Dtype::F32 => Some(FloatType::F32),
                    safetensors::Dtype::F64 => Some(FloatType::F64),
                    _ => None,
                },
                type_name: format!("{:?}", info.dtype),
                file: self.files.len(),
                place: Place::Bytes(data.saturating_add(start)..data.saturating_add(end)),
            };
            self.tensors.insert(name, stored);
        }
        self.files.push(Opened::Safetensors(file));
        Ok(())
    }

    fn add_torch(&mut self, path: &Path, start: &[u8]) -> Result<(), WeightError> {
        let code = |function| WeightError::Code {
            path: path.to_path_buf(),
            function,
        };
        let file = TorchFile::open(path).map_err(|error| match error {
            TorchFileError::PlainPickle {
                code: Some(function),
                ..
            } => code(function),
            TorchFileError::NotTorch { start: found, .. } => WeightError::NotWeights {
                path: path.to_path_buf(),
                what: something_else(start).unwrap_or_else(|| format!("it begins with {found}")),
            },
            other => other.into(),
        })?;
        if let Some(function) = file.pickle().code() {
            return Err(code(function));
        }
        self.container = match file.kind() {
            TorchFileKind::TorchScript => Container::TorchScript,
            _ => Container::TorchSave,
        };
        for (name, info) in file.tensors() {
            let stored = Stored {
                shape: info.shape().to_vec(),
                dtype: match info.dtype() {
                    DType::F16 => Some(FloatType::F16),
                    DType::BF16 => Some(FloatType::Bf16),
                    DType::F32 => Some(FloatType::F32),
                    DType::F64 => Some(FloatType::F64),
                    _ => None,
                },
                type_name: format!("{:?}", info.dtype()),
                file: self.files.len(),
                place: Place::Torch(info.clone()),
            };
            self.tensors.insert(name.clone(), stored);
        }
        self.files.push(Opened::Torch(file));
        Ok(())
    }
}

/// Where a safetensors file's numbers begin, and what they are: the checks of `safetensors`, which wants
/// the whole file in memory.
fn header(path: &Path, file: &InputFile) -> Result<(usize, Metadata), WeightError> {
    /// As the format bounds it.
    const LONGEST: usize = 100_000_000;
    let damaged = |source| WeightError::Safetensors {
        path: path.to_path_buf(),
        source,
    };
    let read = |range| {
        file.read(range).map_err(|source| WeightError::Io {
            path: path.to_path_buf(),
            source,
        })
    };
    let first = read(0..file.len().min(8))?;
    let first = first.first_chunk().ok_or(SafeTensorError::HeaderTooSmall);
    let length = u64::from_le_bytes(*first.map_err(damaged)?);
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= LONGEST)
        .ok_or_else(|| damaged(SafeTensorError::HeaderTooLarge))?;
    let data = length + 8;
    if data > file.len() {
        return Err(damaged(SafeTensorError::InvalidHeaderLength));
    }
    let text = read(8..data)?;
    promptsrc_files::bounded_json(&text).map_err(|source| WeightError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let text = str::from_utf8(&text).map_err(|e| damaged(SafeTensorError::InvalidHeader(e)))?;
    let metadata: Metadata = serde_json::from_str(text)
        .map_err(|e| damaged(SafeTensorError::InvalidHeaderDeserialization(e)))?;
    if metadata.data_len() + data != file.len() {
        return Err(damaged(SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok((data, metadata))
}

/// A file that can no longer be read as it could when it was opened.
fn shortened(path: &Path, tensor: &str, source: std::io::Error) -> WeightError {
    let path = path.to_path_buf();
    match source.kind() {
        ErrorKind::UnexpectedEof => WeightError::Changed {
            path,
            tensor: tensor.to_string(),
        },
        _ => WeightError::Io { path, source },
    }
}

/// Whether the header of a safetensors file, whose length its first eight bytes say, fits into it.
fn header_fits(path: &Path, start: &[u8]) -> Result<bool, WeightError> {
    let size = std::fs::metadata(path).map_err(|source| WeightError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let length = start
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length));
    Ok(length.is_some_and(|length| length.saturating_add(8) <= size.len()))
}

fn is_torch(start: &[u8]) -> bool {
    start.starts_with(b"PK") || start.first() == Some(&0x80)
}

/// What a file is that is often found in the place of weights.
fn something_else(start: &[u8]) -> Option<String> {
    if start.starts_with(b"version https://git-lfs") {
        return Some("a Git LFS pointer; fetch the file itself with `git lfs pull`".to_string());
    }
    let text = start.trim_ascii_start();
    if text.starts_with(b"<") {
        return Some("a web page; download the file itself".to_string());
    }
    start.is_empty().then(|| "the file is empty".to_string())
}

fn beginning(path: &Path) -> Result<Vec<u8>, WeightError> {
    let mut start = Vec::new();
    promptsrc_files::open_regular(path)
        .and_then(|file| file.take(64).read_to_end(&mut start))
        .map_err(|source| WeightError::Io {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(start)
}
