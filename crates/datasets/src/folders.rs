//! Folders and what is in them: entries, links, which files are images by their names.

use std::ffi::{OsStr, OsString};
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

/// Folders that systems and programs leave among others, and that never are a class.
const LEFT_BEHIND: [&str; 6] = [
    "__MACOSX",
    "__pycache__",
    "@eaDir",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
];

/// A folder's entries, sorted.
#[derive(Default)]
pub(crate) struct Listing {
    /// Its subfolders.
    pub(crate) folders: Vec<OsString>,
    /// Links to folders.
    pub(crate) linked_folders: Vec<OsString>,
    /// Everything else, and whether it is a link. Hidden files are left out.
    pub(crate) files: Vec<(OsString, bool)>,
    /// Subfolders that are hidden, or that systems and programs leave.
    pub(crate) passed_over: Vec<OsString>,
}

impl Listing {
    /// The subfolders and links to folders, sorted.
    pub(crate) fn all_folders(&self) -> Vec<OsString> {
        let mut all = [self.folders.as_slice(), &self.linked_folders].concat();
        all.sort();
        all
    }
}

/// Lists a folder.
pub(crate) fn list(folder: &Path) -> Result<Listing, DataError> {
    let read = DataError::read(folder);
    let mut listing = Listing::default();
    for entry in std::fs::read_dir(reach(folder)?).map_err(&read)? {
        let entry = entry.map_err(&read)?;
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(&read)?);
        // A link counts as its target; a broken one as a file, so that the loader names it.
        let is_link = kind.is_symlink();
        let is_folder = kind.is_dir() || (is_link && folder.join(&name).is_dir());
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        match (is_folder, is_link) {
            (true, _) if is_passed_over(&name) => listing.passed_over.push(name),
            (true, false) => listing.folders.push(name),
            (true, true) => listing.linked_folders.push(name),
            (false, _) if is_hidden => {}
            (false, _) => listing.files.push((name, is_link)),
        }
    }
    listing.folders.sort();
    listing.linked_folders.sort();
    listing.files.sort();
    listing.passed_over.sort();
    Ok(listing)
}

/// Whether a folder of this name is hidden or left behind.
pub(crate) fn is_passed_over(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || is_left_behind(name)
}

/// Whether a folder of this name is one that systems and programs leave.
pub(crate) fn is_left_behind(name: &OsStr) -> bool {
    LEFT_BEHIND.iter().any(|known| name == *known)
}

/// Whether a file's extension is that of an image. Images that cannot be decoded count, so that
/// loading names them.
pub(crate) fn is_image(name: &Path) -> bool {
    name.extension().is_some_and(|extension| {
        let extension = extension.to_string_lossy().to_ascii_lowercase();
        let mut known = promptsrc_image::EXTENSIONS
            .iter()
            .chain(&promptsrc_image::UNREADABLE_EXTENSIONS);
        known.any(|known| *known == extension)
    })
}

/// The folder that a file is in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The name of a path's data set: the last part of the real path.
pub(crate) fn name_of(path: &Path) -> String {
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match real.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "data".into(),
    }
}
