//! The data set collections of `promptsrc bench`: the built-in world, or a folder in CoOp's layout.

use std::path::{Path, PathBuf};

use promptsrc_clip::templates;
use promptsrc_datasets::{CATALOGUE, CatalogueSet, Part};
use promptsrc_protocols::{
    CollectionError, DatasetCollection, DatasetEntry, DatasetSize, OpenedDataset, TransferRole,
};
use promptsrc_world::{Purpose, WorldSet, images_per_class, sets};

use super::files::absolute;
use crate::failure::Failure;

/// The value of `--root` that selects the built-in data sets.
pub const WORLD: &str = "world";

/// The built-in data sets.
pub struct World;

impl DatasetCollection for World {
    fn sets(&self) -> Vec<DatasetEntry> {
        let set = |set: &WorldSet| {
            let classes = set.class_names().len();
            DatasetEntry {
                name: set.name().to_string(),
                aliases: vec![set.location()],
                role: match set.purpose() {
                    Purpose::BaseToNovel => TransferRole::Target,
                    Purpose::Source => TransferRole::Source,
                    Purpose::Shifted => TransferRole::Shifted,
                    Purpose::Tuning => TransferRole::None,
                },
                measured_by_default: set.purpose() == Purpose::BaseToNovel,
                size: DatasetSize {
                    classes,
                    test: classes * images_per_class(Part::Test),
                },
            }
        };
        sets().iter().map(set).collect()
    }

    fn open(&self, name: &str) -> Result<OpenedDataset, CollectionError> {
        match WorldSet::find(name) {
            Ok(set) => Ok(OpenedDataset {
                dataset: set.dataset(),
                ..OpenedDataset::default()
            }),
            Err(source) => Err(CollectionError {
                name: name.to_string(),
                source: source.into(),
            }),
        }
    }

    fn template(&self, _name: &str) -> String {
        templates::PHOTO.to_string()
    }

    fn location(&self, name: &str) -> String {
        format!("{}{name}", WorldSet::PREFIX)
    }
}

/// A folder of data sets with CoOp's folder names.
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: &Path) -> Result<Self, Failure> {
        match root.is_dir() {
            true => Ok(Self {
                root: root.to_path_buf(),
            }),
            false => Err(Failure::failed(format!(
                "--root {}: the folder does not exist; give the folder of the data sets, or world \
                 for the built-in ones",
                root.display()
            ))),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let known = CatalogueSet::find(name);
        self.root.join(known.map_or(name, |known| known.folder))
    }

    /// Fails if the folder of one of these data sets is missing.
    pub fn check(&self, names: &[String]) -> Result<(), Failure> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| !self.folder(name).is_dir())
            .map(|name| format!("{name} ({})", self.folder(name).display()))
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Failure::failed(format!(
                "missing data sets: {}; select the others with --datasets",
                missing.join(", ")
            ))),
        }
    }
}

impl DatasetCollection for Folder {
    fn sets(&self) -> Vec<DatasetEntry> {
        let set = |set: &CatalogueSet| DatasetEntry {
            name: set.published_name.to_string(),
            aliases: vec![set.name.to_string(), set.folder.to_string()],
            role: match set.folder {
                "imagenet" => TransferRole::Source,
                _ if set.is_test_only() => TransferRole::Shifted,
                _ => TransferRole::Target,
            },
            measured_by_default: !set.is_test_only(),
            size: DatasetSize {
                classes: set.classes,
                test: set.count(Part::Test),
            },
        };
        CATALOGUE.iter().map(set).collect()
    }

    fn open(&self, name: &str) -> Result<OpenedDataset, CollectionError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| CollectionError {
            name: name.to_string(),
            source,
        };
        let set = CatalogueSet::find(name)
            .ok_or_else(|| failed("it is not one of the paper's 15 data sets".into()))?;
        match set.open(&self.root) {
            Ok((dataset, report)) => Ok(OpenedDataset {
                dataset,
                warnings: report.findings(),
                split: report.split,
            }),
            Err(source) => Err(failed(source.into())),
        }
    }

    fn template(&self, name: &str) -> String {
        CatalogueSet::find(name)
            .and_then(|set| templates::data_set_template(set.name))
            .unwrap_or(templates::PHOTO)
            .to_string()
    }

    fn location(&self, name: &str) -> String {
        absolute(&self.folder(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_of_the_paper_has_its_template() {
        let folder = Folder {
            root: PathBuf::new(),
        };
        for set in &CATALOGUE {
            let own = templates::data_set_template(set.name);
            assert!(own.is_some_and(|own| own.contains("{}")), "{}", set.name);
            assert_eq!(Some(folder.template(set.published_name).as_str()), own);
        }
    }
}
