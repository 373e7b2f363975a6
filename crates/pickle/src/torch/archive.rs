//! The zip format of a torch file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufReader;
use std::ops::Range;
use std::path::Path;

use promptsrc_files::InputFile;
use zip::{CompressionMethod, ZipArchive};

use super::error::TorchFileError;
use super::format::{Parts, TorchFileKind};
use crate::value::Pickle;

const PICKLE: &str = "data.pkl";

/// Where an entry's bytes are, or why they cannot be used as they are.
enum Entry {
    Stored(Range<usize>),
    Packed(String),
}

pub(super) fn take_apart(path: &Path, file: &InputFile) -> Result<Parts, TorchFileError> {
    let entries = entries(file).map_err(|problem| TorchFileError::Archive {
        path: path.to_path_buf(),
        problem,
    })?;
    let find = |name: &str| -> Result<Option<Cow<'_, [u8]>>, TorchFileError> {
        match entries.get(name) {
            None => Ok(None),
            Some(Entry::Stored(range)) => {
                let bytes = file.read(range.clone());
                Ok(Some(bytes.map_err(|source| TorchFileError::Io {
                    path: path.to_path_buf(),
                    source,
                })?))
            }
            Some(Entry::Packed(how)) => Err(TorchFileError::NotStored {
                path: path.to_path_buf(),
                entry: name.to_string(),
                how: how.clone(),
            }),
        }
    };

    // Everything is in one folder, which has the name of the file when it was saved.
    let prefix = entries
        .keys()
        .filter_map(|name| name.strip_suffix(PICKLE))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('/'))
        .min_by_key(|prefix| {
            (
                prefix.matches('/').count(),
                prefix.len(),
                prefix.to_string(),
            )
        })
        .ok_or_else(|| TorchFileError::NoEntry {
            path: path.to_path_buf(),
            missing: PICKLE.to_string(),
        })?;

    if let Some(order) = find(&format!("{prefix}byteorder"))?
        && order.trim_ascii() != b"little"
    {
        return Err(TorchFileError::BigEndian {
            path: path.to_path_buf(),
            found: String::from_utf8_lossy(&order).chars().take(20).collect(),
        });
    }

    let entry = format!("{prefix}{PICKLE}");
    let bytes = find(&entry)?.unwrap_or_default();
    let pickle = Pickle::parse(&bytes).map_err(|source| TorchFileError::Pickle {
        path: path.to_path_buf(),
        entry,
        source,
    })?;
    drop(bytes);

    let folder = format!("{prefix}data/");
    let mut storages = HashMap::new();
    for (name, entry) in &entries {
        let Some(key) = name.strip_prefix(&folder) else {
            continue;
        };
        match entry {
            Entry::Stored(range) => storages.insert(key.to_string(), range.clone()),
            Entry::Packed(how) => {
                return Err(TorchFileError::NotStored {
                    path: path.to_path_buf(),
                    entry: name.clone(),
                    how: how.clone(),
                });
            }
        };
    }

    let script = entries.contains_key(&format!("{prefix}constants.pkl"));
    Ok(Parts {
        kind: if script {
            TorchFileKind::TorchScript
        } else {
            TorchFileKind::Archive
        },
        pickle,
        storages,
    })
}

fn entries(input: &InputFile) -> Result<HashMap<String, Entry>, String> {
    let reader = BufReader::new(input.reader());
    let mut archive = ZipArchive::new(reader).map_err(|e| e.to_string())?;
    let mut entries = HashMap::with_capacity(archive.len());
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(|e| e.to_string())?;
        let name = file.name().map_err(|e| e.to_string())?.into_owned();
        let entry = if file.encrypted() {
            Entry::Packed("encrypted".to_string())
        } else if file.compression() != CompressionMethod::Stored {
            Entry::Packed(format!("compressed ({})", file.compression()))
        } else {
            let range = file
                .data_start()
                .and_then(|start| Some(start..start.checked_add(file.size())?))
                .and_then(|range| {
                    Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
                })
                .filter(|range| range.end <= input.len())
                .ok_or_else(|| format!("entry {name} reaches past the end of the file"))?;
            Entry::Stored(range)
        };
        entries.insert(name, entry);
    }
    Ok(entries)
}
