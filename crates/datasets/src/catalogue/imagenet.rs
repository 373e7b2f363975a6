//! ImageNet, and its variants V2, Sketch, A and R.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::annotation::Annotation;
use super::set::CatalogueSet;
use super::{listing, preprocessed};
use crate::{DataError, Dataset, Part, folders, text};

/// The file in which the reference caches ImageNet's lists train and test, in the order in which
/// the file system listed the images.
const PREPROCESSED: &str = "preprocessed.pkl";

/// `classnames.txt`: in each line the name of a folder and of its class.
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
        for line in text::lines(&file)? {
            let Some((class, name)) = line.text.split_once(' ') else {
                return Err(line.wrong(&file, "expected a folder and the name of its class"));
            };
            if let Some(first) = seen.insert(class.to_string(), lines.len() + 1) {
                let message =
                    format!("the folder {class:?} already has a class name, on line {first}");
                return Err(line.wrong(&file, message));
            }
            lines.push((class.to_string(), name.trim().to_string()));
        }
        if lines.is_empty() {
            return Err(DataError::EmptyList { file });
        }
        Ok(Self { file, lines })
    }

    /// The class names of folders. Classes may share a name: two of ImageNet's are called "missile",
    /// two "sunglasses", and the published results were measured with these.
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
                    "has no class name for the folder {}",
                    below.join(folder).display()
                ),
            })
        });
        names.collect()
    }
}

/// ImageNet: `images/{train,val}/<folder>/*`, labels in the sorted order of the folders. The
/// validation images are used for testing too.
///
/// If the reference has saved its `preprocessed.pkl`, the lists are taken from it: few-shot picks
/// depend on their order, which is that of the reference's file system.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let cached = folder.join(PREPROCESSED);
    if cached.symlink_metadata().is_ok() {
        let file = folders::reach(&cached)?;
        let mut dataset = preprocessed::lists(&file)?;
        dataset.val = dataset.test.clone();
        let mut read = Annotation::new(dataset, file);
        read.notes.push(format!(
            "the lists are those that the reference saved in {PREPROCESSED}"
        ));
        return Ok(read);
    }
    let names = ClassNames::read(set, folder)?;
    let images = set.need(folder, set.images)?;
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
                file: images,
                message: format!(
                    "train has {} class folders and val {}, and they are not the same: {} is in \
                     only one of them",
                    train_folders.len(),
                    folders.len(),
                    odd.map_or("", String::as_str)
                ),
            });
        }
        for (label, class) in train_folders.iter().enumerate() {
            let items =
                listing::class_items(&images, &Path::new(name).join(class), label, &mut ignored)?;
            dataset.part_mut(part).extend(items);
        }
    }
    dataset.test = dataset.val.clone();
    Ok(listed_folders(dataset, names, ignored))
}

/// ImageNetV2: the class of folder k is line k of `classnames.txt`, counted from 0.
pub(super) fn read_v2(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let names = ClassNames::read(set, folder)?;
    let images = set.need(folder, set.images)?;
    for class in listing::class_folders(&images)? {
        let label = class.parse::<usize>().ok();
        if label.is_none_or(|label| label >= names.lines.len()) {
            let count = names.lines.len();
            return Err(DataError::ClassNames {
                file: names.file,
                message: format!(
                    "names {count} classes, but {} is not one of them (0 to {})",
                    images.join(class).display(),
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
        let items = listing::class_items(&images, &class, label, &mut ignored)?;
        dataset.test.extend(items);
    }
    Ok(listed_folders(dataset, names, ignored))
}

/// ImageNet-Sketch, -A and -R: one folder per class, labels in the sorted order of the folders that
/// exist.
pub(super) fn read_variant(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let names = ClassNames::read(set, folder)?;
    let images = set.need(folder, set.images)?;
    let folders = listing::class_folders(&images)?;
    let mut dataset = Dataset {
        class_names: names.of(&folders, &images)?,
        ..Dataset::default()
    };
    let mut ignored = 0;
    for (label, class) in folders.iter().enumerate() {
        let items = listing::class_items(&images, Path::new(class), label, &mut ignored)?;
        dataset.test.extend(items);
    }
    Ok(listed_folders(dataset, names, ignored))
}

fn listed_folders(dataset: Dataset, names: ClassNames, ignored: usize) -> Annotation {
    Annotation {
        presence_known: true,
        ignored,
        ..Annotation::new(dataset, names.file)
    }
}
