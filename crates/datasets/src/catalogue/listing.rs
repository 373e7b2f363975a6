//! Listings of class folders one level deep, links followed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{DataError, Presence};

/// A path, unless it is a link that leads nowhere.
pub(super) fn reach(path: &Path) -> Result<PathBuf, DataError> {
    match (std::fs::metadata(path), std::fs::read_link(path)) {
        (Err(reason), Ok(target)) => Err(DataError::BrokenLink {
            path: path.to_path_buf(),
            target,
            reason,
        }),
        (Err(reason), Err(_)) => Err(DataError::Read {
            path: path.to_path_buf(),
            reason,
        }),
        (Ok(_), _) => Ok(path.to_path_buf()),
    }
}

/// The names of a folder's sub-folders that do not begin with a dot, sorted. Files, such as a
/// README beside the class folders, are passed over.
pub(super) fn class_folders(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut folders = Vec::new();
    for (name, kind) in entries(folder)? {
        let path = folder.join(&name);
        let is_folder = match kind.is_symlink() {
            true => reach(&path)?.is_dir(),
            false => kind.is_dir(),
        };
        if !is_folder {
            continue;
        }
        match name.into_string() {
            Ok(name) => folders.push(name),
            Err(_) => {
                return Err(DataError::ClassNames {
                    file: path,
                    message: "the name of this class folder is not UTF-8 text, so it can name no \
                              class; rename it"
                        .to_string(),
                });
            }
        }
    }
    if folders.is_empty() {
        return Err(DataError::NoClasses {
            folder: folder.to_path_buf(),
        });
    }
    folders.sort();
    Ok(folders)
}

/// The images right in a class folder, sorted by name.
#[derive(Default)]
pub(super) struct Images {
    /// File names, and whether each can be reached.
    pub(super) files: Vec<(OsString, Presence)>,
    /// How many entries are no images by their names.
    pub(super) ignored: usize,
}

/// Lists a class folder. A link that leads nowhere is an image that is missing: it has its place
/// in the lists all the same.
pub(super) fn images(folder: &Path) -> Result<Images, DataError> {
    let mut images = Images::default();
    for (name, kind) in entries(folder)? {
        let path = Path::new(&name);
        let named_so = path.extension().is_some_and(|extension| {
            let extension = extension.to_string_lossy().to_ascii_lowercase();
            promptsrc_image::EXTENSIONS.contains(&extension.as_str())
        });
        let target = match kind.is_symlink() {
            true => std::fs::metadata(folder.join(&name)).ok(),
            false => None,
        };
        let is_folder = kind.is_dir() || target.as_ref().is_some_and(std::fs::Metadata::is_dir);
        if !named_so || is_folder {
            images.ignored += 1;
            continue;
        }
        let presence = if kind.is_symlink() && target.is_none() {
            Presence::Missing
        } else {
            Presence::Present
        };
        images.files.push((name, presence));
    }
    if images.files.is_empty() {
        return Err(DataError::EmptyClass {
            folder: folder.to_path_buf(),
        });
    }
    images.files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(images)
}

/// Names and kinds of a folder's entries that are not hidden.
fn entries(folder: &Path) -> Result<Vec<(OsString, std::fs::FileType)>, DataError> {
    let read = |reason| DataError::Read {
        path: folder.to_path_buf(),
        reason,
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(reach(folder)?).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            entries.push((name, entry.file_type().map_err(read)?));
        }
    }
    Ok(entries)
}

/// A line of an annotation that says something.
pub(super) struct Line {
    /// Its text, without blanks around it.
    pub(super) text: String,
    number: u64,
}

/// The lines of an annotation, empty ones left out.
pub(super) fn lines(file: &Path) -> Result<Vec<Line>, DataError> {
    let text = crate::source::read_text(file)?;
    let lines = (1..).zip(text.lines()).map(|(number, line)| Line {
        text: line.trim().to_string(),
        number,
    });
    Ok(lines.filter(|line| !line.text.is_empty()).collect())
}

impl Line {
    /// What is wrong with it.
    pub(super) fn wrong(&self, file: &Path, message: impl Into<String>) -> DataError {
        DataError::Malformed {
            file: file.to_path_buf(),
            line: self.number,
            message: message.into(),
        }
    }

    /// Where it stands.
    pub(super) fn place(&self, file: &Path) -> String {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!("line {} of {name}", self.number)
    }

    /// A label that the annotation counts from 1.
    pub(super) fn label_from_one(&self, file: &Path, text: &str) -> Result<usize, DataError> {
        let number = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        number.ok_or_else(|| {
            self.wrong(
                file,
                format!("expected the number of a class, from 1, found {text:?}"),
            )
        })
    }
}
