//! ImageNet, and its variants V2, Sketch, A and R.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{CatalogueSet, Read, datum, listing};
use crate::{DataError, Dataset, Item, Part};

/// The file that ImageNet's lists are kept in by the reference: train and test, in the order in
/// which its file system gave the images.
const PREPROCESSED: &str = "preprocessed.pkl";

/// `classnames.txt`: lines of a folder's name and the name of its class.
struct ClassNames {
    file: PathBuf,
    /// Folder and name, in the order of the lines.
    lines: Vec<(String, String)>,
}

impl ClassNames {
    fn read(set: &CatalogueSet, folder: &Path) -> Result<Self, DataError> {
        let file = set.need(folder, "classnames.txt")?;
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut seen = HashMap::new();
        for line in listing::lines(&file)? {
            let Some((class, name)) = line.text.split_once(' ') else {
                return Err(line.wrong(&file, "expected a folder and the name of its class"));
            };
            if let Some(first) = seen.insert(class.to_string(), lines.len() + 1) {
                let message = format!("the folder {class:?} has a name already, on line {first}");
                return Err(line.wrong(&file, message));
            }
            lines.push((class.to_string(), name.trim().to_string()));
        }
        if lines.is_empty() {
            return Err(DataError::EmptyList { file });
        }
        Ok(Self { file, lines })
    }

    /// The names of class folders. Two classes may share one: of ImageNet's, two are both called
    /// "missile" and two "sunglasses", and the published numbers were measured with these.
    fn of(&self, folders: &[String], below: &Path) -> Result<Vec<String>, DataError> {
        let known: HashMap<&str, &str> = self
            .lines
            .iter()
            .map(|(folder, name)| (folder.as_str(), name.as_str()))
            .collect();
        let names = folders.iter().map(|folder| {
            let name = known.get(folder.as_str()).map(|name| name.to_string());
            name.ok_or_else(|| DataError::ClassNames {
                file: self.file.clone(),
                message: format!(
                    "has no class for the folder {}",
                    below.join(folder).display()
                ),
            })
        });
        names.collect()
    }
}

/// ImageNet: `images/{train,val}/<folder>/*`, a label being the place of its folder in sorted
/// order. The validation images serve as test too.
///
/// Where the reference has left its `preprocessed.pkl` the lists are taken from it: their order
/// decides which images are picked for few shots, and it is that of the file system.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Read, DataError> {
    let preprocessed = folder.join(PREPROCESSED);
    if preprocessed.symlink_metadata().is_ok() {
        let file = listing::reach(&preprocessed)?;
        let mut dataset = datum::lists(&file)?;
        dataset.val = dataset.test.clone();
        let mut read = Read::new(dataset, file);
        read.notes.push(format!(
            "the lists are those that the reference left in {PREPROCESSED}"
        ));
        return Ok(read);
    }
    let names = ClassNames::read(set, folder)?;
    let root = set.need(folder, set.images)?;
    let mut dataset = Dataset::default();
    let mut ignored = 0;
    let mut train_folders = Vec::new();
    for (part, name) in [(Part::Train, "train"), (Part::Val, "val")] {
        let below = set.need(folder, &format!("{}/{name}", set.images))?;
        let folders = listing::class_folders(&below)?;
        if part == Part::Train {
            dataset.class_names = names.of(&folders, &below)?;
            train_folders = folders;
        } else if folders != train_folders {
            let odd = folders.iter().find(|f| !train_folders.contains(f));
            let odd = odd.or_else(|| train_folders.iter().find(|f| !folders.contains(f)));
            return Err(DataError::ClassNames {
                file: root,
                message: format!(
                    "train has {} class folders and val {}, which are not the same ones: {} is in \
                     one only",
                    train_folders.len(),
                    folders.len(),
                    odd.map_or("", String::as_str)
                ),
            });
        }
        for (label, class) in train_folders.iter().enumerate() {
            let items = class_items(&root, &Path::new(name).join(class), label, &mut ignored)?;
            dataset.part_mut(part).extend(items);
        }
    }
    dataset.test = dataset.val.clone();
    Ok(seen(dataset, names, ignored))
}

/// ImageNetV2: folder k is the k-th line of `classnames.txt`, from 0.
pub(super) fn read_v2(set: &CatalogueSet, folder: &Path) -> Result<Read, DataError> {
    let names = ClassNames::read(set, folder)?;
    let root = set.need(folder, set.images)?;
    for class in listing::class_folders(&root)? {
        let label = class.parse::<usize>().ok();
        if label.is_none_or(|label| label >= names.lines.len()) {
            let count = names.lines.len();
            return Err(DataError::ClassNames {
                file: names.file,
                message: format!(
                    "names {count} classes, and {} is none of them (0 to {})",
                    root.join(class).display(),
                    count.saturating_sub(1)
                ),
            });
        }
    }
    let mut dataset = Dataset::default();
    let mut ignored = 0;
    for (label, (_, name)) in names.lines.iter().enumerate() {
        dataset.class_names.push(name.clone());
        let class = PathBuf::from(label.to_string());
        let items = class_items(&root, &class, label, &mut ignored)?;
        dataset.test.extend(items);
    }
    Ok(seen(dataset, names, ignored))
}

/// ImageNet-Sketch, -A and -R: a folder a class, numbered in sorted order over those that are
/// there.
pub(super) fn read_variant(set: &CatalogueSet, folder: &Path) -> Result<Read, DataError> {
    let names = ClassNames::read(set, folder)?;
    let root = set.need(folder, set.images)?;
    let folders = listing::class_folders(&root)?;
    let mut dataset = Dataset {
        class_names: names.of(&folders, &root)?,
        ..Dataset::default()
    };
    let mut ignored = 0;
    for (label, class) in folders.iter().enumerate() {
        let items = class_items(&root, Path::new(class), label, &mut ignored)?;
        dataset.test.extend(items);
    }
    Ok(seen(dataset, names, ignored))
}

/// The images of a class folder, with paths relative to `root`.
fn class_items(
    root: &Path,
    class: &Path,
    label: usize,
    ignored: &mut usize,
) -> Result<Vec<Item>, DataError> {
    let listing = listing::images(&root.join(class))?;
    *ignored += listing.ignored;
    let items = listing.files.into_iter().map(|(file, presence)| Item {
        presence,
        ..Item::new(class.join(file), label)
    });
    Ok(items.collect())
}

fn seen(dataset: Dataset, names: ClassNames, ignored: usize) -> Read {
    Read {
        seen: true,
        ignored,
        ..Read::new(dataset, names.file)
    }
}
