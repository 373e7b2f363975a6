//! Folders and what is in them: entries, links, which files are images by their names.

use std::ffi::OsString;
use std::fs::FileType;
use std::path::{Path, PathBuf};

use crate::DataError;

/// A path, unless it is a broken link or does not exist.
pub(crate) fn reach(path: &Path) -> Result<PathBuf, DataError> {
    match (std::fs::metadata(path), std::fs::read_link(path)) {
        (Err(reason), Ok(target)) => Err(DataError::BrokenLink {
            path: path.to_path_buf(),
            target,
            reason,
        }),
        (Err(reason), Err(_)) => Err(DataError::read(path)(reason)),
        (Ok(_), _) => Ok(path.to_path_buf()),
    }
}

/// Names and kinds of a folder's entries, hidden ones (`.name`) left out.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(OsString, FileType)>, DataError> {
    let read = DataError::read(folder);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(reach(folder)?).map_err(&read)? {
        let entry = entry.map_err(&read)?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            entries.push((name, entry.file_type().map_err(&read)?));
        }
    }
    Ok(entries)
}

/// Whether a file's extension is that of an image.
pub(crate) fn is_image(name: &Path) -> bool {
    name.extension().is_some_and(|extension| {
        let extension = extension.to_string_lossy().to_ascii_lowercase();
        promptsrc_image::EXTENSIONS.contains(&extension.as_str())
    })
}

/// The name of a path's data set: the last part of the real path.
pub(crate) fn name_of(path: &Path) -> String {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match real.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "data".into(),
    }
}
