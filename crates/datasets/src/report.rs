//! What reading a data set found out, for a person to know.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use crate::{Dataset, Part, Presence};

/// How many duplicates are named.
const SPELLED_OUT: usize = 10;

/// Findings that are no errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was read: "split", "folder" or "list", and from where.
    pub source: String,
    /// The split file or list that was read, if it was one.
    pub listing: Option<PathBuf>,
    /// The folder that the images' paths are relative to.
    pub images: PathBuf,
    /// Counts of each part, in the order of [`Part::ALL`].
    pub parts: [PartReport; 3],
    /// Files of a folder that are no images by their extension, and were passed over.
    pub ignored: usize,
    /// Images that are listed twice; the first of them.
    pub duplicates: Vec<Duplicate>,
    /// How many images are listed twice.
    pub duplicate_count: usize,
    /// Everything else worth a line: fall-backs, splits that were drawn.
    pub notes: Vec<String>,
}

/// Counts of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartReport {
    /// Images listed.
    pub listed: usize,
    /// Of these, files that are not there.
    pub missing: usize,
    /// Of these, files in folders that may not be read.
    pub unreadable: usize,
}

/// An image that is listed twice: in one part, or for training and for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The file.
    pub path: PathBuf,
    /// Where it comes first, and as what.
    pub first: (Part, usize),
    /// Where it comes again, and as what.
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

    /// One line for each finding that deserves attention; none where all is well.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.absences();
        warnings.extend(self.findings());
        warnings
    }

    /// A line for each part with images that are not there. Only those that a run uses matter,
    /// which [`Dataset::items`] counts.
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
                    "{unreadable} of {listed} {part} images are in folders that may not be read"
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
                "{} files are no images by their names",
                self.ignored
            ));
        }
        warnings.extend(self.notes.iter().cloned());
        warnings
    }

    /// Counts a data set's images and finds those listed twice.
    pub(crate) fn take_stock(&mut self, dataset: &Dataset) {
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
                let second = (part, item.label);
                match seen.entry(&item.path) {
                    Entry::Vacant(entry) => {
                        entry.insert(second);
                    }
                    // Validation and test may well be the same list; ImageNet's are.
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

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}
