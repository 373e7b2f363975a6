//! The report on a data set that was read: counts, duplicates, notes.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::error::SPELLED_OUT;
use crate::split_origin::Split;
use crate::{Dataset, Part, Presence};

/// What a person should know about a data set, short of errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was read: "split", "folder" or "list", and from where.
    pub source: String,
    /// The split file or list, if one was read.
    pub listing: Option<PathBuf>,
    /// The file that names the classes, if there is one.
    pub class_names: Option<PathBuf>,
    /// Which split a data set of the paper has; `None` for other data sets.
    pub split: Option<Split>,
    /// The folder that the images' paths are relative to.
    pub images: PathBuf,
    /// Counts of each part, in the order of [`Part::ALL`].
    pub parts: [PartReport; 3],
    /// How many files of a folder were ignored because of their extensions.
    pub ignored: usize,
    /// The first few of the images that are listed twice.
    pub duplicates: Vec<Duplicate>,
    /// How many images are listed twice.
    pub duplicate_count: usize,
    /// Everything else worth a line: fallbacks, generated splits.
    pub notes: Vec<String>,
}

/// Counts of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartReport {
    /// Images listed.
    pub listed: usize,
    /// Of these, files that do not exist.
    pub missing: usize,
    /// Of these, files in folders without read permission.
    pub unreadable: usize,
}

/// An image that is listed twice: in one part, or in two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The file.
    pub path: PathBuf,
    /// The part and the label that it has first.
    pub first: (Part, usize),
    /// The part and the label that it has the second time.
    pub second: (Part, usize),
}

impl Report {
    /// Counts of a part.
    pub fn part(&self, part: Part) -> &PartReport {
        let [train, val, test] = &self.parts;
        match part {
            Part::Train => train,
            Part::Val => val,
            Part::Test => test,
        }
    }

    /// One line for each finding; none if all is well.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.absences();
        warnings.extend(self.findings());
        warnings
    }

    /// A line for each part with missing images. Only those that a run uses matter, which
    /// [`Subset::images`](crate::Subset::images) counts.
    pub fn absences(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for part in Part::ALL {
            let PartReport {
                listed,
                missing,
                unreadable,
            } = *self.part(part);
            if missing > 0 {
                warnings.push(format!("{missing} of {listed} {part} images are missing"));
            }
            if unreadable > 0 {
                warnings.push(format!(
                    "{unreadable} of {listed} {part} images are in folders without read permission"
                ));
            }
        }
        warnings
    }

    /// A line for each finding about the lists themselves.
    pub fn findings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for Duplicate {
            path,
            first,
            second,
        } in &self.duplicates
        {
            let path = path.display();
            let labels = if first.1 == second.1 {
                String::new()
            } else {
                format!(", with labels {} and {}", first.1, second.1)
            };
            warnings.push(if first.0 == second.0 {
                format!("{path} is listed twice in {}{labels}", first.0)
            } else {
                format!(
                    "{path} is listed in {} and in {}{labels}",
                    first.0, second.0
                )
            });
        }
        let unnamed = self.duplicate_count.saturating_sub(self.duplicates.len());
        if unnamed > 0 {
            warnings.push(format!("{unnamed} more images are listed twice"));
        }
        if self.ignored > 0 {
            warnings.push(format!(
                "{} files were ignored: they do not have the extension of an image",
                self.ignored
            ));
        }
        warnings.extend(self.notes.iter().cloned());
        warnings
    }

    /// Counts a data set's images and finds those listed twice.
    pub(crate) fn take_stock(&mut self, dataset: &Dataset) {
        let repeated = repeated_hashes(dataset);
        let mut seen: HashMap<&Path, (Part, usize)> = HashMap::new();
        for (part, counts) in Part::ALL.into_iter().zip(&mut self.parts) {
            *counts = PartReport {
                listed: dataset.part(part).len(),
                ..PartReport::default()
            };
            for item in dataset.part(part) {
                match item.presence {
                    Presence::Present => {}
                    Presence::Missing => counts.missing += 1,
                    Presence::Unreadable => counts.unreadable += 1,
                }
                if repeated.binary_search(&hash(&item.path)).is_err() {
                    continue;
                }
                let second = (part, item.label);
                match seen.entry(&item.path) {
                    Entry::Vacant(entry) => {
                        entry.insert(second);
                    }
                    // Validation and test may be the same list, as ImageNet's are.
                    Entry::Occupied(entry) if (entry.get().0, part) == (Part::Val, Part::Test) => {}
                    Entry::Occupied(entry) => {
                        self.duplicate_count += 1;
                        if self.duplicates.len() < SPELLED_OUT {
                            let (path, first) = (item.path.clone(), *entry.get());
                            self.duplicates.push(Duplicate {
                                path,
                                first,
                                second,
                            });
                        }
                    }
                }
            }
        }
    }

    /// Whether a folder of class folders was read, without a split file or annotation.
    pub(crate) fn is_plain_folder(&self) -> bool {
        self.source.starts_with("folder ")
    }

    /// Enters the file that names the classes.
    pub(crate) fn name_classes(&mut self, file: &Path) {
        self.note(format!("the classes are named by {}", file.display()));
        self.class_names = Some(file.to_path_buf());
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// The hashes that several paths have, sorted: few paths have to be compared, and of the others a number
/// is enough.
fn repeated_hashes(dataset: &Dataset) -> Vec<u64> {
    let items = Part::ALL.into_iter().flat_map(|part| dataset.part(part));
    let count = Part::ALL.iter().map(|part| dataset.part(*part).len()).sum();
    let mut hashes: Vec<u64> = Vec::with_capacity(count);
    hashes.extend(items.map(|item| hash(&item.path)));
    hashes.sort_unstable();
    let pairs = hashes.iter().zip(hashes.iter().skip(1));
    let mut repeated: Vec<u64> = pairs.filter(|(a, b)| a == b).map(|(a, _)| *a).collect();
    repeated.dedup();
    repeated
}

fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
