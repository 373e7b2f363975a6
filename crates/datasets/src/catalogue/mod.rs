//! The 15 data sets of the paper, as CoOp's documentation lays them out below one folder.

mod aircraft;
mod cars;
mod check;
mod class_folders;
mod datum;
mod draw;
mod entries;
mod flowers;
mod imagenet;
mod listing;
mod mat;
mod pets;
mod sun397;
mod ucf101;

use std::path::{Path, PathBuf};

pub use check::{FewShotFile, PartCheck, SetCheck, SetState, check};
pub use entries::CATALOGUE;

use crate::presence::Checker;
use crate::source::split_file;
use crate::{DataError, Dataset, FewShot, Item, Part, Presence, Report};

/// One of the 15 data sets of the paper.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueSet {
    /// The name of its class in the reference: `"OxfordFlowers"`, `"DescribableTextures"`.
    pub name: &'static str,
    /// The name in the paper's tables: `"Flowers102"`, `"DTD"`.
    pub published_name: &'static str,
    /// Its folder below the root.
    pub folder: &'static str,
    /// The folder in that folder which the paths of its split file are relative to; empty where
    /// that is the data set's own.
    pub images: &'static str,
    /// Its split file, where the reference keeps one.
    pub split_file: Option<&'static str>,
    /// How many classes it has.
    pub classes: usize,
    /// Images of each part, in the order of [`Part::ALL`] (ImageNet's validation images serve
    /// as test too; its variants have test images only).
    pub counts: [usize; 3],
    /// Test images of the base and of the novel classes, as the published logs count them;
    /// `None` where we know of no such count.
    pub test_halves: Option<(usize, usize)>,
    /// What it consists of, and where each part is to be had.
    pub downloads: &'static [Download],
    format: Format,
    /// Other names it goes by, in small letters and without punctuation.
    aliases: &'static [&'static str],
}

/// A file or folder of a data set, and its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Download {
    /// Where it belongs in the data set's folder.
    pub path: &'static str,
    /// Where to get it.
    pub address: &'static str,
    /// Whether the data set can be read without it: a split file can be made again, although not
    /// as the published one.
    pub optional: bool,
}

/// How the data set itself says which image is what.
#[derive(Clone, Copy, Debug)]
enum Format {
    /// A folder a class; see [`class_folders`].
    ClassFolders(class_folders::Rules),
    Pets,
    Cars,
    Flowers,
    Aircraft,
    Sun397,
    Ucf101,
    ImageNet,
    ImageNetV2,
    ImageNetVariant,
}

/// What a data set's own annotation gives: items with paths relative to the image folder.
struct Read {
    dataset: Dataset,
    /// The file or folder that says it.
    source: PathBuf,
    /// How the parts were made, where the annotation does not have them.
    drawn: Option<&'static str>,
    /// Whether the items' presence is known, because they come from a listing of folders.
    seen: bool,
    /// Files of class folders that are no images by their names.
    ignored: usize,
    notes: Vec<String>,
}

impl Read {
    fn new(dataset: Dataset, source: impl Into<PathBuf>) -> Self {
        Self {
            dataset,
            source: source.into(),
            drawn: None,
            seen: false,
            ignored: 0,
            notes: Vec::new(),
        }
    }
}

/// Whether a split that had to be made may be written into the data set's folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Saving {
    Allowed,
    Never,
}

impl CatalogueSet {
    /// The data set of that name: ours, the paper's or the folder's, in any case and with or
    /// without punctuation.
    ///
    /// ```
    /// use promptsrc_datasets::CatalogueSet;
    ///
    /// for name in ["OxfordFlowers", "flowers102", "oxford_flowers", "Oxford Flowers"] {
    ///     assert_eq!(CatalogueSet::find(name).map(|set| set.folder), Some("oxford_flowers"));
    /// }
    /// ```
    pub fn find(name: &str) -> Option<&'static CatalogueSet> {
        let name = plain(name);
        CATALOGUE.iter().find(|set| {
            [set.name, set.published_name, set.folder]
                .iter()
                .any(|known| plain(known) == name)
                || set.aliases.contains(&name.as_str())
        })
    }

    /// Reads it below the root: its split file where there is one, its own annotation else.
    ///
    /// A split that the data set needs and does not have is made as the reference makes it, from
    /// sorted lists (the reference takes the order of the file system) with the random numbers of
    /// seed 1, and saved beside the images where the data set is whole and its folder can be
    /// written. The report says which of it happened.
    ///
    /// # Errors
    /// [`DataError`]: what is missing, with its address; what is malformed, with its line; links
    /// that lead nowhere.
    pub fn open(&self, root: &Path) -> Result<(Dataset, Report), DataError> {
        let (mut dataset, report) = self.open_folder(&root.join(self.folder), false)?;
        dataset.name = self.name.to_string();
        Ok((dataset, report))
    }

    /// Whether it has test images only: the four variants of ImageNet.
    pub fn is_test_only(&self) -> bool {
        self.counts[0] == 0
    }

    /// The expected number of images of a part.
    pub fn count(&self, part: Part) -> usize {
        let [train, val, test] = self.counts;
        match part {
            Part::Train => train,
            Part::Val => val,
            Part::Test => test,
        }
    }

    /// The picks that the reference left in `split_fewshot/shot_K-seed_S.pkl`, as places in the
    /// lists of `dataset`, which must be this one as [`open`](Self::open) reads it; `None` where
    /// there is no such file.
    ///
    /// The pickle is parsed and never executed. Its images are known by the ends of their paths,
    /// so it may come from another machine. Without it [`Dataset::few_shot`] gives the same picks,
    /// provided that the reference drew them from the same lists.
    ///
    /// # Errors
    /// [`DataError::Pickle`] where it is not such a file or does not fit the data set.
    pub fn few_shot_file(
        &self,
        root: &Path,
        dataset: &Dataset,
        shots: usize,
        seed: u64,
    ) -> Result<Option<FewShot>, DataError> {
        let folder = root.join(self.folder);
        let file = folder
            .join(datum::FEW_SHOT_FOLDER)
            .join(format!("shot_{shots}-seed_{seed}.pkl"));
        if !file.exists() {
            return Ok(None);
        }
        datum::few_shot(&file, dataset, &folder.join(self.images), shots).map(Some)
    }

    /// The data set that a folder holds, judged by the folder's name and by what is in it.
    pub(crate) fn recognise(folder: &Path) -> Option<&'static CatalogueSet> {
        // By the name as given, so that a link may have the data set's name, or by the real one.
        let real = std::fs::canonicalize(folder).ok();
        let names = [Some(folder), real.as_deref()]
            .into_iter()
            .flatten()
            .filter_map(|path| path.file_name()?.to_str());
        names
            .filter_map(|name| CATALOGUE.iter().find(|set| set.folder == name))
            .find(|set| {
                // Its images come first; other layouts of the same name have them elsewhere.
                let images = set.downloads.first();
                images.is_some_and(|images| folder.join(images.path).exists())
            })
    }

    /// Reads it from its own folder, whatever that is called; fails where no image is there
    /// unless that is allowed.
    pub(crate) fn open_folder(
        &self,
        folder: &Path,
        allow_missing: bool,
    ) -> Result<(Dataset, Report), DataError> {
        let (dataset, report) = self.read(folder, Saving::Allowed)?;
        let listed: usize = report.parts.iter().map(|part| part.listed).sum();
        let missing: usize = report.parts.iter().map(|part| part.missing).sum();
        if missing == listed && !allow_missing {
            let example = Part::ALL
                .iter()
                .find_map(|part| dataset.part(*part).first());
            return Err(DataError::NoImages {
                split: report.listing.unwrap_or_else(|| folder.to_path_buf()),
                count: listed,
                example: example.map(|item| item.path.clone()).unwrap_or_default(),
                tried: vec![report.images],
            });
        }
        Ok((dataset, report))
    }

    /// Reads it even where no image is there.
    fn read(&self, folder: &Path, saving: Saving) -> Result<(Dataset, Report), DataError> {
        let mut report = Report::default();
        let images = folder.join(self.images);
        let mut seen = false;
        let split = self.split_file.map(|name| folder.join(name));
        let mut dataset = match &split {
            // A link that leads nowhere is no reason to draw another split.
            Some(split) if split.symlink_metadata().is_ok() => {
                report.source = format!("split {}", split.display());
                report.listing = Some(split.clone());
                split_file::read(&listing::reach(split)?, None)?
            }
            _ => {
                let read = self.read_annotation(folder)?;
                report.source = format!("annotation {}", read.source.display());
                report.ignored = read.ignored;
                report.notes = read.notes;
                seen = read.seen;
                if read.source.is_file() {
                    report.listing = Some(read.source);
                }
                if let (Some(how), Some(split)) = (read.drawn, &split) {
                    let name = split.file_name().unwrap_or_default().to_string_lossy();
                    let kept = self.keep(&read.dataset, split, saving);
                    let what_then = kept.unwrap_or_else(|| {
                        report.listing = Some(split.clone());
                        format!("it was saved as {}", split.display())
                    });
                    report.note(format!(
                        "there is no {name}: {how}, from sorted lists with seed 1, which is not \
                         the published split; {what_then}"
                    ));
                }
                read.dataset
            }
        };
        let mut checker = Checker::default();
        for part in Part::ALL {
            for item in dataset.part_mut(part) {
                item.path = images.join(&item.path);
                // What a listing of folders has seen need not be looked for again.
                if !seen {
                    item.presence = checker.check(&item.path);
                }
            }
        }
        report.images = images;
        dataset.name = crate::source::name_of(folder);
        report.take_stock(&dataset);
        let differences = self.differences(&dataset);
        if !differences.is_empty() {
            report.note(format!(
                "this is not the whole {} of the paper: {}",
                self.published_name,
                differences.join(", ")
            ));
        }
        Ok((dataset, report))
    }

    fn read_annotation(&self, folder: &Path) -> Result<Read, DataError> {
        let read = match self.format {
            Format::ClassFolders(rules) => class_folders::read(self, &rules, folder),
            Format::Pets => pets::read(self, folder),
            Format::Cars => cars::read(self, folder),
            Format::Flowers => flowers::read(self, folder),
            Format::Aircraft => aircraft::read(self, folder),
            Format::Sun397 => sun397::read(self, folder),
            Format::Ucf101 => ucf101::read(self, folder),
            Format::ImageNet => imagenet::read(self, folder),
            Format::ImageNetV2 => imagenet::read_v2(self, folder),
            Format::ImageNetVariant => imagenet::read_variant(self, folder),
        }?;
        if Part::ALL
            .iter()
            .all(|part| read.dataset.part(*part).is_empty())
        {
            return Err(DataError::EmptyList { file: read.source });
        }
        Ok(read)
    }

    /// Saves a split that was made, or says why not.
    ///
    /// Only that of a whole data set is saved: one made of what a broken download left would stay
    /// in the way of the right one.
    fn keep(&self, dataset: &Dataset, split: &Path, saving: Saving) -> Option<String> {
        let why_not = if !self.differences(dataset).is_empty() {
            "it was not saved, because the data set is not whole".to_string()
        } else if saving == Saving::Never {
            "whatever reads the data set next saves it".to_string()
        } else {
            match draw::save(dataset, split) {
                Ok(()) => return None,
                Err(reason) => format!("it could not be saved ({reason})"),
            }
        };
        Some(format!("{why_not}; it is made the same way each time"))
    }

    /// In what a data set's lists differ from the published ones, in words.
    fn differences(&self, dataset: &Dataset) -> Vec<String> {
        let mut differences = Vec::new();
        let classes = dataset.class_names.len();
        if classes != self.classes {
            differences.push(format!("{classes} classes instead of {}", self.classes));
        }
        for part in Part::ALL {
            let (listed, expected) = (dataset.part(part).len(), self.count(part));
            if listed != expected {
                differences.push(format!("{listed} {part} images instead of {expected}"));
            }
        }
        differences
    }

    /// A file or folder that the data set cannot be read without.
    fn need(&self, folder: &Path, path: &str) -> Result<PathBuf, DataError> {
        let needed = folder.join(path);
        if needed.symlink_metadata().is_ok() {
            return listing::reach(&needed);
        }
        let of = |download: &&Download| {
            path == download.path
                || path
                    .strip_prefix(download.path)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        Err(DataError::NotDownloaded {
            path: needed,
            set: self.published_name,
            address: self
                .downloads
                .iter()
                .find(of)
                .map_or("", |download| download.address),
        })
    }
}

/// A name in small letters, without punctuation.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// An image of a list, whose file is yet to be looked for.
fn listed(path: impl Into<PathBuf>, label: usize) -> Item {
    Item {
        presence: Presence::Missing,
        ..Item::new(path, label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_that_cannot_be_saved_is_no_error_and_is_spoken_of() {
        let set = CatalogueSet::find("EuroSAT").unwrap();
        let mut dataset = Dataset {
            class_names: (0..set.classes).map(|c| format!("class {c}")).collect(),
            ..Dataset::default()
        };
        for part in Part::ALL {
            let items = (0..set.count(part)).map(|i| listed(format!("{part}/{i}.jpg"), 0));
            *dataset.part_mut(part) = items.collect();
        }
        // A folder that is not there stands for one that may not be written: rights do not stop
        // tests that run as root.
        let folder = tempfile::tempdir().unwrap();
        let split = folder.path().join("not there/split_zhou_EuroSAT.json");
        let said = set.keep(&dataset, &split, Saving::Allowed).unwrap();
        assert!(said.contains("could not be saved (") && said.contains("same way each time"));

        let split = folder.path().join("split_zhou_EuroSAT.json");
        assert!(set.keep(&dataset, &split, Saving::Never).is_some());
        assert!(!split.exists());
        assert_eq!(set.keep(&dataset, &split, Saving::Allowed), None);
        // Only the one class that has images is in it.
        let read = split_file::read(&split, None).unwrap();
        assert_eq!((read.train.len(), read.test.len()), (13_500, 8100));

        dataset.train.pop();
        let said = set.keep(&dataset, &split, Saving::Allowed).unwrap();
        assert!(said.contains("not whole"), "{said}");
    }
}
