//! Which listed files exist, checked folder by folder.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::Presence;

/// Checks whether files exist. A folder is listed once, for the first file in it: that is many
/// times faster than asking the system about each of some ten thousand files.
#[derive(Default)]
pub(crate) struct Checker {
    folders: HashMap<PathBuf, Folder>,
}

enum Folder {
    /// Names of its files.
    Files(HashSet<OsString>),
    Missing,
    Unreadable,
}

impl Checker {
    pub(crate) fn check(&mut self, path: &Path) -> Presence {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Presence::Missing;
        };
        if !self.folders.contains_key(parent) {
            self.folders.insert(parent.to_path_buf(), list(parent));
        }
        match self.folders.get(parent) {
            Some(Folder::Files(names)) if names.contains(name) => Presence::Present,
            // The file system decides: it may ignore case or normalise names.
            Some(Folder::Files(_)) if path.is_file() => Presence::Present,
            Some(Folder::Unreadable) => Presence::Unreadable,
            _ => Presence::Missing,
        }
    }
}

fn list(folder: &Path) -> Folder {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::PermissionDenied => return Folder::Unreadable,
        Err(_) => return Folder::Missing,
    };
    let names = entries
        .filter_map(Result::ok)
        .filter(|entry| match entry.file_type() {
            Ok(kind) if kind.is_symlink() => entry.path().is_file(),
            Ok(kind) => kind.is_file(),
            Err(_) => false,
        })
        .map(|entry| entry.file_name())
        .collect();
    Folder::Files(names)
}
