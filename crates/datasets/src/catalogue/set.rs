//! One of the paper's data sets: its names, its files, its published counts.

use std::path::{Path, PathBuf};

use crate::{DataError, Dataset, Part, folders};

/// One of the 15 data sets of the paper.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueSet {
    /// The name of its class in the reference: `"OxfordFlowers"`, `"DescribableTextures"`.
    pub name: &'static str,
    /// The name in the paper's tables: `"Flowers102"`, `"DTD"`.
    pub published_name: &'static str,
    /// Its folder in the data set collection.
    pub folder: &'static str,
    /// The subfolder that the paths of its split file are relative to; empty if that is the data
    /// set's folder itself.
    pub images: &'static str,
    /// The name of its split file, if the reference uses one.
    pub split_file: Option<&'static str>,
    /// How many classes it has.
    pub classes: usize,
    /// Images of each part, in the order of [`Part::ALL`] (ImageNet's validation images are its
    /// test images too; its variants have test images only).
    pub counts: [usize; 3],
    /// Test images of the base and of the novel classes, as counted in the published logs; `None`
    /// if no such count is known.
    pub test_halves: Option<(usize, usize)>,
    /// The files and folders that it consists of.
    pub downloads: &'static [Download],
    pub(super) format: Format,
    /// Other names for it, in lower case and without punctuation.
    pub(super) aliases: &'static [&'static str],
}

/// A file or folder of a data set, and where to download it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Download {
    /// Where it belongs in the data set's folder.
    pub path: &'static str,
    /// Where to download it.
    pub address: &'static str,
    /// Whether the data set can be read without it: a split file can be generated, although it
    /// then differs from the published one.
    pub optional: bool,
}

/// The format of a data set's own annotation, from which images get their labels.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    /// One folder per class.
    ClassFolders(FolderRules),
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

/// How the names of class folders become class names.
#[derive(Clone, Copy, Debug)]
pub(super) struct FolderRules {
    /// Folders that are not classes.
    pub(super) ignored: &'static [&'static str],
    /// Folders whose classes have another name.
    pub(super) renamed: &'static [(&'static str, &'static str)],
    /// Whether a folder that is not in `renamed` is an error.
    pub(super) all_renamed: bool,
}

impl CatalogueSet {
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

    /// How a data set's lists differ from the published ones, in words.
    pub(super) fn differences(&self, dataset: &Dataset) -> Vec<String> {
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

    /// The path of a file or folder without which the data set cannot be read.
    pub(super) fn need(&self, folder: &Path, path: &str) -> Result<PathBuf, DataError> {
        let needed = folder.join(path);
        if needed.symlink_metadata().is_ok() {
            return folders::reach(&needed);
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
