//! A folder with a subfolder per class, or with such folders `train`, `val` and `test`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{DataError, Dataset, Item, Part, Report, class_names, divide, folders};

/// The images of each class folder.
type ClassFolders = BTreeMap<OsString, Vec<PathBuf>>;

/// Reads the folder. Classes are numbered in the sorted order of their folders' names (in numeric
/// order if all names are numbers); images are sorted by path.
pub(super) fn read(
    folder: &Path,
    names: Option<&Path>,
    report: &mut Report,
) -> Result<Dataset, DataError> {
    report.source = format!("folder {}", folder.display());
    report.images = folder.to_path_buf();
    let top = list(folder)?;
    if top.folders.is_empty() {
        return Err(DataError::NoClasses {
            folder: folder.to_path_buf(),
        });
    }
    // Only if all subfolders are parts: a class may be called "train".
    let parts: Option<Vec<(Part, PathBuf)>> = top
        .folders
        .iter()
        .map(|name| Some((name.to_str()?.parse().ok()?, folder.join(name))))
        .collect();

    let mut found: Vec<(Option<Part>, ClassFolders)> = Vec::new();
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
        None => found.push((None, read_classes(folder, report)?)),
    }

    let class_folders = numbered(
        found
            .iter()
            .flat_map(|(_, classes)| classes.keys())
            .collect(),
    );
    let mut dataset = Dataset {
        class_names: names_of(folder, names, &class_folders)?,
        ..Dataset::default()
    };
    let items = |label: usize, classes: &mut ClassFolders| -> Vec<Item> {
        let paths = class_folders
            .get(label)
            .and_then(|folder| classes.remove(folder));
        paths
            .unwrap_or_default()
            .into_iter()
            .map(|path| Item::new(path, label))
            .collect()
    };
    for (part, mut classes) in found {
        let by_label: Vec<Vec<Item>> = (0..class_folders.len())
            .map(|label| items(label, &mut classes))
            .collect();
        let Some(part) = part else {
            report.note(divide::NOTE);
            divide::divide(by_label, &mut dataset);
            continue;
        };
        let absent = by_label.iter().filter(|items| items.is_empty()).count();
        if absent > 0 {
            let all = class_folders.len();
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
        report.note("there is no test folder: the validation images are used for testing too");
    } else if dataset.val.is_empty() && !dataset.test.is_empty() && !dataset.train.is_empty() {
        dataset.val = dataset.test.clone();
        report.note("there is no validation folder: the test images are used for validation too");
    }
    Ok(dataset)
}

/// The names of the class folders in the order of their labels.
fn numbered(names: BTreeSet<&OsString>) -> Vec<OsString> {
    let mut names: Vec<OsString> = names.into_iter().cloned().collect();
    let number = |name: &OsString| name.to_str().and_then(|n| n.parse::<u64>().ok());
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by_key(number);
    }
    names
}

/// The class names: from the given file, from `classnames.txt` in the data set's folder or the one
/// above it, or those of the class folders, with spaces for underscores.
fn names_of(
    folder: &Path,
    file: Option<&Path>,
    folders: &[OsString],
) -> Result<Vec<String>, DataError> {
    let folders: Vec<String> = folders
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let within = folder.join("classnames.txt");
    let above = folder.parent().map(|parent| parent.join("classnames.txt"));
    let file = match file {
        Some(file) => Some(file.to_path_buf()),
        None => [Some(within), above]
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
                    file: folder.to_path_buf(),
                    message: format!("two class folders are both called {name:?}"),
                }),
                None => Ok(names),
            }
        }
    }
}

/// The images of each class folder, sorted.
fn read_classes(folder: &Path, report: &mut Report) -> Result<ClassFolders, DataError> {
    let listing = list(folder)?;
    if listing.folders.is_empty() {
        return Err(DataError::NoClasses {
            folder: folder.to_path_buf(),
        });
    }
    // Files beside the class folders, such as classnames.txt or a README, do not count as ignored.
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

/// The images of a folder and its subfolders; each real folder once, because symbolic links may
/// form a loop.
fn collect(
    folder: &Path,
    visited: &mut HashSet<PathBuf>,
    images: &mut Vec<PathBuf>,
    ignored: &mut usize,
) -> Result<(), DataError> {
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let real = std::fs::canonicalize(&folder).map_err(DataError::read(&folder))?;
        if !visited.insert(real) {
            continue;
        }
        let listing = list(&folder)?;
        open.extend(listing.folders.iter().map(|name| folder.join(name)));
        for name in listing.files {
            let path = folder.join(name);
            if folders::is_image(&path) {
                images.push(path);
            } else {
                *ignored += 1;
            }
        }
    }
    Ok(())
}

/// A folder's subfolders and other entries, sorted, hidden ones left out.
struct Listing {
    folders: Vec<OsString>,
    files: Vec<OsString>,
}

fn list(folder: &Path) -> Result<Listing, DataError> {
    let mut listing = Listing {
        folders: Vec::new(),
        files: Vec::new(),
    };
    for (name, kind) in folders::entries(folder)? {
        // A link counts as its target; a broken one as a file, so that the loader names it.
        let is_folder = kind.is_dir() || (kind.is_symlink() && folder.join(&name).is_dir());
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
