//! Reading one of the data sets from its folder.

use std::path::Path;

use super::annotation::Annotation;
use super::set::{CatalogueSet, Format};
use super::{aircraft, cars, class_folders, flowers, imagenet, pets, sun397, ucf101};
use crate::cache_folder::CacheFolder;
use crate::presence::Checker;
use crate::split_origin::{Split, SplitOrigin};
use crate::{DataError, Dataset, Part, Report, folders, same_names, split_file};

/// Whether a generated split may be saved in the data set's folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Saving {
    Allowed,
    Never,
}

impl CatalogueSet {
    /// Reads it from a data set collection, the folder with the folders of the data sets: its split
    /// file if there is one, otherwise its own annotation.
    ///
    /// A missing split is generated as in the reference, but from sorted lists (the reference takes
    /// the order of the file system) and with seed 1. It is saved beside the images if the data set
    /// is complete and its folder is writable. The report says what was done.
    ///
    /// # Errors
    /// [`DataError`]: missing files, with their addresses; malformed ones, with the line; broken
    /// links.
    pub fn open(&self, collection: &Path) -> Result<(Dataset, Report), DataError> {
        let (mut dataset, report) = self.open_folder(&collection.join(self.folder), false)?;
        dataset.name = self.name.to_string();
        Ok((dataset, report))
    }

    /// Reads it from its own folder, whatever the folder's name; fails if none of its images exists,
    /// unless that is allowed.
    pub(crate) fn open_folder(
        &self,
        folder: &Path,
        allow_missing: bool,
    ) -> Result<(Dataset, Report), DataError> {
        let (dataset, mut report) = self.read(folder, Saving::Allowed)?;
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

    /// Reads it even if none of its images exists.
    pub(super) fn read(
        &self,
        folder: &Path,
        saving: Saving,
    ) -> Result<(Dataset, Report), DataError> {
        let mut report = Report::default();
        let images = folder.join(self.images);
        let mut presence_known = false;
        let split = self.split_file.map(|name| folder.join(name));
        let mut dataset = match &split {
            // A broken link is an error, not a reason to generate another split.
            Some(split) if split.symlink_metadata().is_ok() => {
                report.source = format!("split {}", split.display());
                report.listing = Some(split.clone());
                let (dataset, identity) = split_file::read_identified(&folders::reach(split)?)?;
                let name = split.file_name().unwrap_or_default().to_string_lossy();
                let mut own = Split::in_file(&name, identity.hash, identity.made_here);
                if own.origin == SplitOrigin::Unverified && !self.differences(&dataset).is_empty() {
                    own.origin = SplitOrigin::Other;
                }
                match own.origin {
                    SplitOrigin::Ours => report.note(format!(
                        "{name} was made by promptsrc, because the published one was missing: it \
                         is not the published split"
                    )),
                    SplitOrigin::Other if self.differences(&dataset).is_empty() => report.note(
                        format!("{name} is not the published split: its lists are others"),
                    ),
                    _ => {}
                }
                report.split = Some(own);
                dataset
            }
            _ => {
                let read = self.read_annotation(folder)?;
                report.source = format!("annotation {}", read.source.display());
                report.ignored = read.ignored;
                report.notes = read.notes;
                presence_known = read.presence_known;
                let whole = self.differences(&read.dataset).is_empty();
                report.split = Some(Split::without_file(match read.generated {
                    Some(_) => SplitOrigin::Ours,
                    None if whole => SplitOrigin::Annotation,
                    None => SplitOrigin::Other,
                }));
                if read.source.is_file() {
                    report.listing = Some(read.source);
                }
                if let (Some(how), Some(split)) = (read.generated, &split) {
                    let name = split.file_name().unwrap_or_default().to_string_lossy();
                    let not_saved = self.save(&read.dataset, split, how, saving);
                    let saved = not_saved.unwrap_or_else(|| {
                        report.listing = Some(split.clone());
                        format!("it was saved as {}", split.display())
                    });
                    report.note(format!(
                        "there is no {name}: {how}, from sorted lists with seed 1, which does not \
                         give the published split; {saved}"
                    ));
                }
                read.dataset
            }
        };
        let mut checker = Checker::default();
        for part in Part::ALL {
            for item in dataset.part_mut(part) {
                item.path = images.join(&item.path);
                if !presence_known {
                    item.presence = checker.check(&item.path);
                }
            }
        }
        for (first, second) in same_names(&dataset.class_names) {
            let name = |place: usize| dataset.class_names.get(place).map_or("", String::as_str);
            report.note(format!(
                "classes {first} and {second} are both called {:?}, as in the published lists: the \
                 second is never answered",
                name(first),
            ));
        }
        dataset.caches = Some(CacheFolder {
            folders: vec![folder.to_path_buf()],
            images: images.clone(),
            other_names: false,
        });
        report.images = images;
        dataset.name = folders::name_of(folder);
        report.take_stock(&dataset);
        Ok((dataset, report))
    }

    fn read_annotation(&self, folder: &Path) -> Result<Annotation, DataError> {
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

    /// Saves a generated split, or says why not.
    ///
    /// Only the split of a complete data set is saved: one generated from an incomplete download
    /// would later take precedence over the right one.
    fn save(&self, dataset: &Dataset, split: &Path, how: &str, saving: Saving) -> Option<String> {
        let why_not = if !self.differences(dataset).is_empty() {
            "it was not saved, because the data set is incomplete".to_string()
        } else if saving == Saving::Never {
            "it is saved when the data set is next read".to_string()
        } else {
            match split_file::save(dataset, split, how) {
                Ok(()) => return None,
                Err(reason) => format!("it could not be saved ({reason})"),
            }
        };
        Some(format!("{why_not}; it is generated the same way each time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::annotation::listed;

    #[test]
    fn a_split_that_cannot_be_saved_is_reported_and_not_an_error() {
        let set = CatalogueSet::find("EuroSAT").unwrap();
        let mut dataset = Dataset {
            class_names: (0..set.classes).map(|c| format!("class {c}")).collect(),
            ..Dataset::default()
        };
        for part in Part::ALL {
            let items = (0..set.count(part)).map(|i| listed(format!("{part}/{i}.jpg"), 0));
            *dataset.part_mut(part) = items.collect();
        }
        // A missing folder in place of a read-only one: permissions do not stop tests that run as
        // the superuser.
        let folder = tempfile::tempdir().unwrap();
        let split = folder.path().join("missing/split_zhou_EuroSAT.json");
        let said = set
            .save(&dataset, &split, "divided", Saving::Allowed)
            .unwrap();
        assert!(said.contains("could not be saved (") && said.contains("same way each time"));

        let split = folder.path().join("split_zhou_EuroSAT.json");
        assert!(
            set.save(&dataset, &split, "divided", Saving::Never)
                .is_some()
        );
        assert!(!split.exists());
        assert_eq!(set.save(&dataset, &split, "divided", Saving::Allowed), None);
        // It contains only the one class that has images.
        let read = split_file::read(&split, None).unwrap();
        assert_eq!((read.train.len(), read.test.len()), (13_500, 8100));

        dataset.train.pop();
        let said = set
            .save(&dataset, &split, "divided", Saving::Allowed)
            .unwrap();
        assert!(said.contains("incomplete"), "{said}");
    }
}
