//! Which of the 15 data sets a data set collection has, and what is missing.

use std::path::{Path, PathBuf};

use super::entries::CATALOGUE;
use super::open::Saving;
use super::set::{CatalogueSet, Download};
use crate::few_shot_cache::few_shot_files;
use crate::split_origin::{Split, SplitOrigin};
use crate::{Classes, Dataset, Part, Report, folders};

/// What was found of one data set.
#[derive(Debug)]
pub struct SetCheck {
    /// The data set.
    pub set: &'static CatalogueSet,
    /// Its folder, whether or not that exists.
    pub folder: PathBuf,
    /// The result of the check.
    pub state: SetState,
    /// What its lists were read from; empty if they could not be read.
    pub source: String,
    /// Which split it has; `None` if its lists could not be read.
    pub split: Option<Split>,
    /// Counts of each part, in the order of [`Part::ALL`].
    pub parts: [PartCheck; 3],
    /// How many classes were found.
    pub classes: usize,
    /// Test images of the base and of the novel classes.
    pub test_halves: Option<(usize, usize)>,
    /// What is wrong; empty unless the state is [`SetState::Broken`].
    pub problems: Vec<String>,
    /// What a person should know, and need not change.
    pub notes: Vec<String>,
    /// What is missing, and where to download it.
    pub downloads: Vec<&'static Download>,
    /// The few-shot files saved by the reference.
    pub few_shot_files: Vec<FewShotFile>,
}

/// The result of checking a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetState {
    /// Its folder does not exist.
    Absent,
    /// All images of the published lists exist.
    Whole,
    /// Its folder exists, but something is missing or wrong.
    Broken,
}

/// Counts of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartCheck {
    /// Images that exist.
    pub found: usize,
    /// Images in its lists.
    pub listed: usize,
    /// Images in the published lists.
    pub expected: usize,
}

/// A few-shot file of the reference, compared with our own picks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FewShotFile {
    /// The file.
    pub file: PathBuf,
    /// Shots per class.
    pub shots: usize,
    /// Seed.
    pub seed: u64,
    /// Whether it has exactly the training images that [`Dataset::few_shot`] picks, in order.
    pub equal: bool,
}

/// Checks each of the 15 data sets in a data set collection. No image is opened and nothing is
/// written.
pub fn check(collection: &Path) -> Vec<SetCheck> {
    let check = |set| check_set(set, collection);
    CATALOGUE.iter().map(check).collect()
}

fn check_set(set: &'static CatalogueSet, collection: &Path) -> SetCheck {
    let folder = collection.join(set.folder);
    let mut check = SetCheck {
        set,
        state: SetState::Absent,
        source: String::new(),
        split: None,
        parts: Part::ALL.map(|part| PartCheck {
            expected: set.count(part),
            ..PartCheck::default()
        }),
        classes: 0,
        test_halves: None,
        problems: Vec::new(),
        notes: Vec::new(),
        downloads: Vec::new(),
        few_shot_files: Vec::new(),
        folder,
    };
    // A broken link exists, and makes the data set broken.
    if check.folder.symlink_metadata().is_err() {
        // The published split replaces the annotation from which it was made.
        let wanted = |d: &&Download| !d.optional || Some(d.path) == set.split_file;
        check.downloads = set.downloads.iter().filter(wanted).collect();
        return check;
    }
    check.downloads = missing(set, &check.folder);
    match folders::reach(&check.folder).and_then(|folder| set.read(&folder, Saving::Never)) {
        Ok((dataset, report)) => check.take(&dataset, report),
        Err(error) => check.problems.push(error.to_string()),
    }
    check.state = match check.problems.is_empty() {
        true => SetState::Whole,
        false => SetState::Broken,
    };
    check
}

/// What a data set's folder lacks. With the published split, the annotation from which it was made
/// is not needed.
fn missing(set: &'static CatalogueSet, folder: &Path) -> Vec<&'static Download> {
    let exists = |path: &str| folder.join(path).exists();
    let has_split = set.split_file.is_some_and(exists);
    let is_missing = |download: &&Download| {
        let replaced = download.optional && has_split;
        !exists(download.path) && !replaced
    };
    set.downloads.iter().filter(is_missing).collect()
}

impl SetCheck {
    /// Enters what reading the data set has found.
    fn take(&mut self, dataset: &Dataset, report: Report) {
        self.source.clone_from(&report.source);
        self.split.clone_from(&report.split);
        self.classes = dataset.class_names.len();
        for (check, counts) in self.parts.iter_mut().zip(&report.parts) {
            check.listed = counts.listed;
            check.found = counts
                .listed
                .saturating_sub(counts.missing + counts.unreadable);
        }
        self.problems.extend(self.set.differences(dataset));
        self.problems.extend(report.absences());
        self.test_halves = halves(dataset);
        if let (true, Some(found), Some(expected)) = (
            self.problems.is_empty(),
            self.test_halves,
            self.set.test_halves,
        ) && found != expected
            && self
                .split
                .as_ref()
                .is_none_or(|split| split.origin != SplitOrigin::Ours)
        {
            self.problems.push(format!(
                "the test images of the base and novel classes are {} and {} instead of {} and \
                 {}: this is not the published split",
                found.0, found.1, expected.0, expected.1
            ));
        }
        self.notes = report.findings();
        for (file, shots, seed) in few_shot_files(&self.folder) {
            match dataset.saved_few_shot(shots, seed) {
                Ok(None) => {}
                Ok(Some((_, picks))) => self.few_shot_files.push(FewShotFile {
                    equal: picks.train == dataset.few_shot_picks(shots, seed).train,
                    file,
                    shots,
                    seed,
                }),
                Err(error) => self
                    .notes
                    .push(format!("a few-shot file cannot be used: {error}")),
            }
        }
    }
}

/// Test images of the base and of the novel classes.
fn halves(dataset: &Dataset) -> Option<(usize, usize)> {
    let all = dataset.whole();
    let count = |classes| Some(all.clone().select(classes).ok()?.samples(Part::Test).len());
    Some((count(Classes::Base)?, count(Classes::Novel)?))
}
