//! Small safetensors files with one JSON record as metadata: the adapter, the run's state, features.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic_file::{SaveError, write_atomically};
use crate::json_bound::bounded_json;
use crate::regular::{LARGEST_TENSORS, open_regular, read_regular};

/// Most bytes of a header. That of an adapter that was trained on all of ImageNet has 27 MB.
const LONGEST_HEADER: u64 = 64 << 20;

/// The one metadata key. One, because more would be written in an order of chance.
const KEY: &str = "promptsrc";

/// Values of a tensor in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
}

/// A named tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Its name.
    pub name: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Values,
}

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no safetensors file.
    #[error("{} is not a whole safetensors file: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// It lacks the record that this program writes.
    #[error(
        "{} was not written by promptsrc as {expected}: it has no such record in its metadata",
        path.display()
    )]
    NoRecord {
        /// The file.
        path: PathBuf,
        /// "an adapter" or "the state of a run".
        expected: &'static str,
    },
    /// The record cannot be understood.
    #[error("the record in {} cannot be read as {expected}: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// "an adapter" or "the state of a run".
        expected: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A tensor has another type than f32 and f64.
    #[error("tensor {name} in {} is of type {found}; f32 or f64 is expected", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// It was written by a newer version of the program.
    #[error(
        "{} has format version {found}, this program knows up to {known}: use a newer promptsrc",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest known version.
        known: u32,
    },
}

/// Saves tensors with a record, all or nothing. The same input gives the same bytes.
pub fn save(
    path: &Path,
    tensors: &[NamedTensor],
    record: Option<&impl Serialize>,
) -> Result<(), SaveError> {
    let failed = |e: String| SaveError {
        path: path.into(),
        source: std::io::Error::other(e),
    };
    let bytes: Vec<(Dtype, Vec<u8>)> = tensors
        .iter()
        .map(|t| match &t.values {
            Values::F32(v) => (Dtype::F32, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::F64(v) => (Dtype::F64, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
        })
        .collect();
    let mut views = Vec::with_capacity(tensors.len());
    for (tensor, (dtype, bytes)) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(*dtype, tensor.shape.clone(), bytes)
            .map_err(|e| failed(e.to_string()))?;
        views.push((tensor.name.as_str(), view));
    }
    let metadata = match record {
        Some(record) => {
            let json = serde_json::to_string(record).map_err(|e| failed(e.to_string()))?;
            Some(HashMap::from([(KEY.to_string(), json)]))
        }
        None => None,
    };
    let file = safetensors::serialize(views, metadata).map_err(|e| failed(e.to_string()))?;
    write_atomically(path, &file)
}

/// Reads tensors and the record of a file that [`save`] wrote. The record holds a `format_version`,
/// of which this program knows those up to `known`.
pub fn load<R: DeserializeOwned>(
    path: &Path,
    expected: &'static str,
    known: u32,
) -> Result<(Vec<NamedTensor>, R), TensorFileError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let read = |source| TensorFileError::Read {
        path: path.into(),
        source,
    };
    let bytes = read_regular(path, LARGEST_TENSORS).map_err(read)?;
    let format = |source| TensorFileError::Format {
        path: path.into(),
        source,
    };
    bounded_header(&bytes).map_err(read)?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(format)?;
    let record = metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get(KEY))
        .ok_or_else(|| TensorFileError::NoRecord {
            path: path.into(),
            expected,
        })?;
    let damaged = |source| TensorFileError::Record {
        path: path.into(),
        expected,
        source,
    };
    bounded_json(record.as_bytes()).map_err(read)?;
    // The version first: a newer record may have other fields.
    let Version { format_version } = serde_json::from_str(record).map_err(damaged)?;
    if format_version > known {
        return Err(TensorFileError::Version {
            path: path.into(),
            found: format_version,
            known,
        });
    }
    let record = serde_json::from_str(record).map_err(damaged)?;
    let file = SafeTensors::deserialize(&bytes).map_err(format)?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => Values::F32(
                data.as_chunks()
                    .0
                    .iter()
                    .map(|c| f32::from_le_bytes(*c))
                    .collect(),
            ),
            Dtype::F64 => Values::F64(
                data.as_chunks()
                    .0
                    .iter()
                    .map(|c| f64::from_le_bytes(*c))
                    .collect(),
            ),
            other => {
                return Err(TensorFileError::Type {
                    path: path.into(),
                    name: name.to_string(),
                    found: format!("{other:?}"),
                });
            }
        };
        let (name, shape) = (name.to_string(), view.shape().to_vec());
        tensors.push(NamedTensor {
            name,
            shape,
            values,
        });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((tensors, record))
}

/// Checks the header of a file before it is parsed, as far as it is there.
fn bounded_header(bytes: &[u8]) -> std::io::Result<()> {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return Ok(());
    };
    let length = u64::from_le_bytes(*length).min(rest.len() as u64);
    bounded_length(length)?;
    bounded_json(&rest[..length as usize])
}

fn bounded_length(length: u64) -> std::io::Result<()> {
    match length <= LONGEST_HEADER {
        true => Ok(()),
        false => Err(std::io::Error::other(format!(
            "its header has {length} bytes, {LONGEST_HEADER} are the most that such a file may have"
        ))),
    }
}

/// The record of a file, whatever it is; none where the file was not written by this program. Only
/// the header is read: the file may be as large as weights are.
pub fn record(path: &Path) -> Result<Option<serde_json::Value>, TensorFileError> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = open_regular(path)?;
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let mut header = Vec::new();
        let length = u64::from_le_bytes(length);
        let there = file.metadata()?.len();
        bounded_length(length.min(there))?;
        file.take(length).read_to_end(&mut header)?;
        bounded_json(&header)?;
        Ok(header)
    };
    let failed = |source| TensorFileError::Read {
        path: path.into(),
        source,
    };
    let header = read().map_err(failed)?;
    let header: Option<serde_json::Value> = serde_json::from_slice(&header).ok();
    let record = header
        .as_ref()
        .and_then(|h| h.get("__metadata__")?.get(KEY)?.as_str());
    let Some(text) = record else {
        return Ok(None);
    };
    bounded_json(text.as_bytes()).map_err(failed)?;
    Ok(serde_json::from_str(text).ok())
}
