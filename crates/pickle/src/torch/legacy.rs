//! The format of `torch.save` before PyTorch 1.6: five pickles, then the storages.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::dtype::DType;
use super::error::TorchFileError;
use super::format::{Parts, TorchFileKind};
use super::tensor;
use crate::value::{Pickle, Value};

/// `0x1950a86a20f9469cfc6c`, little-endian: what the first pickle holds.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

pub(super) fn take_apart(path: &Path, bytes: &[u8]) -> Result<Parts, TorchFileError> {
    if bytes.get(257..262) == Some(b"ustar") {
        return Err(TorchFileError::OldFormat {
            path: path.to_path_buf(),
            what: "a tar archive, the format of torch.save before PyTorch 0.1.10".to_string(),
        });
    }
    // Protocol 2 and later say so in their first byte; 0 and 1 are recognised by parsing.
    let first = match Pickle::parse(bytes) {
        Ok(pickle) => pickle,
        Err(source) if bytes.first() == Some(&0x80) => {
            return Err(TorchFileError::Pickle {
                path: path.to_path_buf(),
                entry: "the pickle".to_string(),
                source,
            });
        }
        Err(_) => {
            return Err(TorchFileError::NotTorch {
                path: path.to_path_buf(),
                start: beginning(bytes),
            });
        }
    };
    if !matches!(first.root().value(), Value::BigInt(number) if **number == MAGIC) {
        // Any text that happens to hold a full stop early can pass for a pickle of protocol 0.
        let plain = bytes.first() == Some(&0x80) || first.code().is_some();
        return Err(if plain {
            TorchFileError::PlainPickle {
                path: path.to_path_buf(),
                code: first.code(),
            }
        } else {
            TorchFileError::NotTorch {
                path: path.to_path_buf(),
                start: beginning(bytes),
            }
        });
    }

    let mut position = 0;
    let mut next = |part: &str| -> Result<(Pickle, usize), TorchFileError> {
        let rest = bytes.get(position..).unwrap_or(&[]);
        let (pickle, taken) =
            Pickle::parse_prefix(rest).map_err(|source| TorchFileError::Pickle {
                path: path.to_path_buf(),
                entry: part.to_string(),
                source,
            })?;
        position += taken;
        Ok((pickle, position))
    };
    next("the magic number")?;
    let (protocol, _) = next("the protocol")?;
    if protocol.root().as_int() != Some(PROTOCOL) {
        return Err(TorchFileError::OldFormat {
            path: path.to_path_buf(),
            what: format!("a protocol of torch.save other than {PROTOCOL}"),
        });
    }
    let (system, _) = next("the system's description")?;
    if system.root().get("little_endian").and_then(|v| v.as_bool()) == Some(false) {
        return Err(TorchFileError::BigEndian {
            path: path.to_path_buf(),
            found: "little_endian is False".to_string(),
        });
    }
    let (pickle, _) = next("the saved value")?;
    let (keys, end) = next("the list of storages")?;

    let dtypes = storage_types(&pickle);
    let mut storages = HashMap::new();
    let mut position = end;
    for key in keys.root().elements().filter_map(|key| key.as_str()) {
        let range = dtypes
            .get(key)
            .and_then(|dtype| storage_range(bytes, position, *dtype))
            .ok_or_else(|| TorchFileError::Archive {
                path: path.to_path_buf(),
                problem: format!("storage {key} reaches past the end of the file"),
            })?;
        position = range.end;
        storages.insert(key.to_string(), range);
    }
    Ok(Parts {
        kind: TorchFileKind::Legacy,
        pickle,
        storages,
    })
}

/// Each storage begins with its number of elements, but does not say how large they are.
fn storage_range(bytes: &[u8], position: usize, dtype: DType) -> Option<Range<usize>> {
    let count = bytes.get(position..)?.first_chunk::<8>()?;
    let count = usize::try_from(i64::from_le_bytes(*count)).ok()?;
    let start = position.checked_add(8)?;
    let end = start.checked_add(count.checked_mul(dtype.size())?)?;
    (end <= bytes.len()).then_some(start..end)
}

fn storage_types(pickle: &Pickle) -> HashMap<&str, DType> {
    pickle
        .nodes()
        .filter_map(|node| tensor::storage(node).ok())
        .map(|storage| (storage.key, storage.dtype))
        .collect()
}

fn beginning(bytes: &[u8]) -> String {
    let start = bytes.get(..16).unwrap_or(bytes);
    if start.is_empty() {
        return "nothing: the file is empty".to_string();
    }
    format!("\"{}\"", start.escape_ascii())
}
