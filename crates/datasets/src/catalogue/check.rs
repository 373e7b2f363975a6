//! What of the 15 data sets is below a root, and what is missing of it.

use std::path::{Path, PathBuf};

use super::{CATALOGUE, CatalogueSet, Download, Saving, datum};
use crate::{Classes, Dataset, Part, Report};

/// What was found of one data set.
#[derive(Debug)]
pub struct SetCheck {
    /// The data set.
    pub set: &'static CatalogueSet,
    /// Where its folder is or would be.
    pub folder: PathBuf,
    /// The verdict.
    pub state: SetState,
    /// What its lists were read from; empty where they could not be.
    pub source: String,
    /// Counts of each part, in the order of [`Part::ALL`].
    pub parts: [PartCheck; 3],
    /// Classes found.
    pub classes: usize,
    /// Test images of the base and of the novel classes.
    pub test_halves: Option<(usize, usize)>,
    /// What is broken; empty unless the state is [`SetState::Broken`].
    pub problems: Vec<String>,
    /// What a person should know and may well leave as it is.
    pub notes: Vec<String>,
    /// What is not there, and where to get it.
    pub downloads: Vec<&'static Download>,
    /// The few-shot files that the reference left.
    pub few_shot_files: Vec<FewShotFile>,
}

/// A verdict on a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetState {
    /// It has no folder.
    Absent,
    /// All images of the published lists are there.
    Whole,
    /// It has a folder, and something is missing or wrong.
    Broken,
}

/// Counts of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartCheck {
    /// Images that are there.
    pub found: usize,
    /// Images that the lists name.
    pub listed: usize,
    /// Images that the published lists name.
    pub expected: usize,
}

/// A few-shot file of the reference, held against our own picks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FewShotFile {
    /// The file.
    pub file: PathBuf,
    /// Images a class.
    pub shots: usize,
    /// Seed.
    pub seed: u64,
    /// Whether it holds just the training images that [`Dataset::few_shot`] picks, in order.
    pub equal: bool,
}

/// Looks for each of the 15 data sets below a root. No image is opened and nothing is written.
pub fn check(root: &Path) -> Vec<SetCheck> {
    CATALOGUE.iter().map(|set| check_set(set, root)).collect()
}

fn check_set(set: &'static CatalogueSet, root: &Path) -> SetCheck {
    let folder = root.join(set.folder);
    let mut check = SetCheck {
        set,
        state: SetState::Absent,
        source: String::new(),
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
    // A link that leads nowhere is there, and broken.
    if check.folder.symlink_metadata().is_err() {
        // With the published split nobody needs the annotation that it was made from.
        let wanted = |d: &&Download| !d.optional || Some(d.path) == set.split_file;
        check.downloads = set.downloads.iter().filter(wanted).collect();
        return check;
    }
    check.downloads = missing(set, &check.folder);
    match super::listing::reach(&check.folder).and_then(|folder| set.read(&folder, Saving::Never)) {
        Ok((dataset, report)) => check.take(&dataset, report),
        Err(error) => check.problems.push(error.to_string()),
    }
    check.state = match check.problems.is_empty() {
        true => SetState::Whole,
        false => SetState::Broken,
    };
    check
}

/// What a data set's folder lacks. The published split makes the annotation needless that it was
/// made from.
fn missing(set: &'static CatalogueSet, folder: &Path) -> Vec<&'static Download> {
    let is_there = |path: &str| folder.join(path).exists();
    let has_split = set.split_file.is_some_and(is_there);
    let is_missing = |download: &&Download| {
        let needless = download.optional && has_split;
        !is_there(download.path) && !needless
    };
    set.downloads.iter().filter(is_missing).collect()
}

impl SetCheck {
    fn take(&mut self, dataset: &Dataset, report: Report) {
        self.source.clone_from(&report.source);
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
                .set
                .split_file
                .is_none_or(|split| self.folder.join(split).exists())
        {
            self.problems.push(format!(
                "the test images of the base and novel classes are {} and {} instead of {} and \
                 {}: this is not the published split",
                found.0, found.1, expected.0, expected.1
            ));
        }
        let whole = "this is not the whole ";
        let notes = report.findings();
        // What it says is among the problems already, in more words.
        self.notes = notes
            .into_iter()
            .filter(|n| !n.starts_with(whole))
            .collect();
        let files = datum::few_shot_files(&self.folder);
        for (file, shots, seed) in files {
            let images = report.images.as_path();
            match datum::few_shot(&file, dataset, images, shots) {
                Ok(picks) => self.few_shot_files.push(FewShotFile {
                    equal: picks.train == dataset.few_shot(shots, seed).train,
                    file,
                    shots,
                    seed,
                }),
                Err(error) => self
                    .notes
                    .push(format!("a few-shot file is of no use: {error}")),
            }
        }
    }
}

/// Test images of the base and of the novel classes.
fn halves(dataset: &Dataset) -> Option<(usize, usize)> {
    let all = dataset.few_shot(0, 0);
    let count = |classes| Some(dataset.select(&all, classes).ok()?.test.len());
    Some((count(Classes::Base)?, count(Classes::Novel)?))
}
