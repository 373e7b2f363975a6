//! Class folders and the images directly in them; links are followed.

use std::path::Path;

use crate::folders::{entries, is_image, is_left_behind, reach};
use crate::{DataError, Item, Presence};

/// The names of a folder's subfolders, sorted, without hidden ones and those that systems leave.
/// Files, such as a README beside the class folders, are ignored.
pub(super) fn class_folders(folder: &Path) -> Result<Vec<String>, DataError> {
    let mut folders = Vec::new();
    for (name, kind) in entries(folder)? {
        let path = folder.join(&name);
        let is_folder = match kind.is_symlink() {
            true => reach(&path)?.is_dir(),
            false => kind.is_dir(),
        };
        if !is_folder || is_left_behind(&name) {
            continue;
        }
        match name.into_string() {
            Ok(name) => folders.push(name),
            Err(_) => {
                return Err(DataError::ClassNames {
                    file: path,
                    message:
                        "the name of this class folder is not UTF-8 text, so it cannot name a \
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

/// The images directly in a class folder, sorted by name, with paths relative to `images`; a broken
/// link is a missing image, which keeps its place in the lists. Other entries are counted in
/// `ignored`.
pub(super) fn class_items(
    images: &Path,
    class: &Path,
    label: usize,
    ignored: &mut usize,
) -> Result<Vec<Item>, DataError> {
    let folder = images.join(class);
    let mut items = Vec::new();
    for (name, kind) in entries(&folder)? {
        let target = match kind.is_symlink() {
            true => std::fs::metadata(folder.join(&name)).ok(),
            false => None,
        };
        let is_folder = kind.is_dir() || target.as_ref().is_some_and(std::fs::Metadata::is_dir);
        if !is_image(Path::new(&name)) || is_folder {
            *ignored += 1;
            continue;
        }
        let presence = if kind.is_symlink() && target.is_none() {
            Presence::Missing
        } else {
            Presence::Present
        };
        items.push(Item {
            presence,
            ..Item::new(class.join(name), label)
        });
    }
    if items.is_empty() {
        return Err(DataError::EmptyClass { folder });
    }
    items.sort_by(|a, b| a.path.file_name().cmp(&b.path.file_name()));
    Ok(items)
}
