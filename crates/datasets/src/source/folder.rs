//! A folder with a sub-folder per class, with or without `train`, `val` and `test` above them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{class_names, divide};
use crate::{DataError, Dataset, Item, Part, Report};

/// The images of each class folder.
type Classes = BTreeMap<OsString, Vec<PathBuf>>;

/// Reads the folder. Classes are numbered in the sorted order of their folders' names (in numeric
/// order where all names are numbers); images come in the sorted order of their paths.
pub(super) fn read(
    root: &Path,
    names: Option<&Path>,
    report: &mut Report,
) -> Result<Dataset, DataError> {
    report.source = format!("folder {}", root.display());
    report.images = root.to_path_buf();
    let top = list(root)?;
    if top.folders.is_empty() {
        return Err(DataError::NoClasses {
            folder: root.to_path_buf(),
        });
    }
    // Only where all sub-folders are parts: "train" may well be the name of a class.
    let parts: Option<Vec<(Part, PathBuf)>> = top
        .folders
        .iter()
        .map(|name| Part::from_name(name.to_str()?).map(|part| (part, root.join(name))))
        .collect();

    let mut found: Vec<(Option<Part>, Classes)> = Vec::new();
    let divided = parts.is_none();
    match parts {
        Some(parts) => {
            for (part, folder) in parts {
                let classes = read_classes(&folder, report)?;
                if found.iter().any(|(p, _)| *p == Some(part)) {
                    return Err(DataError::TwoFolders { folder, part });
                }
                found.push((Some(part), classes));
            }
        }
        None => found.push((None, read_classes(root, report)?)),
    }

    let folders = numbered(
        found
            .iter()
            .flat_map(|(_, classes)| classes.keys())
            .collect(),
    );
    let mut dataset = Dataset {
        class_names: names_of(root, names, &folders)?,
        ..Dataset::default()
    };
    let items = |label: usize, classes: &mut Classes| -> Vec<Item> {
        let paths = folders.get(label).and_then(|folder| classes.remove(folder));
        paths
            .unwrap_or_default()
            .into_iter()
            .map(|path| Item::new(path, label))
            .collect()
    };
    for (part, mut classes) in found {
        let by_label: Vec<Vec<Item>> = (0..folders.len())
            .map(|label| items(label, &mut classes))
            .collect();
        let Some(part) = part else {
            report.note(divide::NOTE);
            divide::divide(by_label, &mut dataset);
            continue;
        };
        let absent = by_label.iter().filter(|items| items.is_empty()).count();
        if absent > 0 {
            let all = folders.len();
            report.note(format!(
                "{absent} of {all} classes have no folder in {part}"
            ));
        }
        *dataset.part_mut(part) = by_label.into_iter().flatten().collect();
    }
    if divided {
        return Ok(dataset);
    }
    if dataset.test.is_empty() && !dataset.val.is_empty() {
        dataset.test = dataset.val.clone();
        report.note("there is no test folder: the validation images serve as test too");
    } else if dataset.val.is_empty() && !dataset.test.is_empty() && !dataset.train.is_empty() {
        dataset.val = dataset.test.clone();
        report.note("there is no validation folder: the test images serve as validation too");
    }
    Ok(dataset)
}

/// The class folders' names in the order of their labels.
fn numbered(names: BTreeSet<&OsString>) -> Vec<OsString> {
    let mut names: Vec<OsString> = names.into_iter().cloned().collect();
    let number = |name: &OsString| name.to_str().and_then(|n| n.parse::<u64>().ok());
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by_key(number);
    }
    names
}

/// The classes' names: of the given file, of `classnames.txt` beside or above the class folders,
/// or of the folders themselves, with blanks for underscores.
fn names_of(
    root: &Path,
    file: Option<&Path>,
    folders: &[OsString],
) -> Result<Vec<String>, DataError> {
    let folders: Vec<String> = folders
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let beside = root.join("classnames.txt");
    let above = root.parent().map(|parent| parent.join("classnames.txt"));
    let file = match file {
        Some(file) => Some(file.to_path_buf()),
        None => [Some(beside), above]
            .into_iter()
            .flatten()
            .find(|file| file.is_file()),
    };
    match file {
        Some(file) => class_names::by_folder(&file, &folders),
        None => {
            let names: Vec<String> = folders.iter().map(|name| name.replace('_', " ")).collect();
            let mut seen = HashSet::new();
            match names.iter().find(|name| !seen.insert(name.as_str())) {
                Some(name) => Err(DataError::ClassNames {
                    file: root.to_path_buf(),
                    message: format!("two class folders are both called {name:?}"),
                }),
                None => Ok(names),
            }
        }
    }
}

/// The images of each class folder, sorted.
fn read_classes(folder: &Path, report: &mut Report) -> Result<Classes, DataError> {
    let listing = list(folder)?;
    if listing.folders.is_empty() {
        return Err(DataError::NoClasses {
            folder: folder.to_path_buf(),
        });
    }
    // A classnames.txt or README beside the class folders is no stray file of a class.
    let mut classes = BTreeMap::new();
    for name in listing.folders {
        let class = folder.join(&name);
        let mut images = Vec::new();
        let mut visited = HashSet::new();
        collect(&class, &mut visited, &mut images, &mut report.ignored)?;
        if images.is_empty() {
            return Err(DataError::EmptyClass { folder: class });
        }
        images.sort();
        classes.insert(name, images);
    }
    Ok(classes)
}

/// The images of a folder and of those below it; each real folder once, so that symbolic links
/// may form a loop.
fn collect(
    folder: &Path,
    visited: &mut HashSet<PathBuf>,
    images: &mut Vec<PathBuf>,
    ignored: &mut usize,
) -> Result<(), DataError> {
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let real = std::fs::canonicalize(&folder).map_err(|reason| DataError::Read {
            path: folder.clone(),
            reason,
        })?;
        if !visited.insert(real) {
            continue;
        }
        let listing = list(&folder)?;
        open.extend(listing.folders.iter().map(|name| folder.join(name)));
        for name in listing.files {
            let path = folder.join(name);
            let is_image = path.extension().is_some_and(|extension| {
                let extension = extension.to_string_lossy().to_ascii_lowercase();
                promptsrc_image::EXTENSIONS.contains(&extension.as_str())
            });
            if is_image {
                images.push(path);
            } else {
                *ignored += 1;
            }
        }
    }
    Ok(())
}

/// A folder's entries whose names do not begin with a dot, sorted.
struct Listing {
    folders: Vec<OsString>,
    files: Vec<OsString>,
}

fn list(folder: &Path) -> Result<Listing, DataError> {
    let read = |reason| DataError::Read {
        path: folder.to_path_buf(),
        reason,
    };
    let mut listing = Listing {
        folders: Vec::new(),
        files: Vec::new(),
    };
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(read)?;
        // A link counts as what it leads to; one that leads nowhere as a file, for the loader to
        // complain about by name.
        let is_folder = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
        if is_folder {
            listing.folders.push(name)
        } else {
            listing.files.push(name)
        }
    }
    listing.folders.sort();
    listing.files.sort();
    Ok(listing)
}
