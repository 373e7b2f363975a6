//! A table of results: of each data set and their average, a row for each method.

use crate::column::Column;
use crate::paired::Paired;
use crate::protocol::Protocol;
use crate::published_file::Source;
use crate::results::RunId;

/// The results of one protocol. Except in few-shot learning, all have the same number of shots.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The protocol.
    pub protocol: Protocol,
    /// Training images per class; empty where none of the methods learns.
    pub shots: Vec<usize>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// What the columns show.
    pub columns: Vec<Column>,
    /// Results by data set; in a transfer, the source comes first.
    pub data_sets: Vec<(String, Vec<Row>)>,
    /// Averages over the data sets, without a transfer's source.
    pub average: Vec<Row>,
    /// Names of the data sets that are averaged.
    pub averaged: Vec<String>,
    /// The method that the others are compared with, if one was chosen and has results here.
    pub baseline: Option<String>,
    /// What tells this table from others of the same protocol: the configuration of the reference's
    /// logs that it is of.
    pub group: Option<String>,
    /// Runs that are missing: without them the table is not complete.
    pub missing: Vec<RunId>,
}

/// Results of a method.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// By column; `None` where there is no result yet, and where there is none by design: see
    /// [`fixed_classes`](Self::fixed_classes).
    pub cells: Vec<Option<Cell>>,
    /// By column, what it is more than the baseline; empty without one, and in its own row.
    pub against: Vec<Option<Paired>>,
    /// Whether what it learned belongs to the trained classes, so that there are neither novel classes
    /// nor other data sets.
    pub fixed_classes: bool,
    /// What the method needs beyond the labelled shots.
    pub needs: Vec<&'static str>,
    /// The accuracies of each seed, by column; the seed is `None` where nothing is learned.
    pub by_seed: Vec<(Option<u64>, Vec<Option<f64>>)>,
    /// How it was made; empty in a published row.
    pub made: Made,
    /// What tells it from the published results, where there are any: with one of these, they are
    /// not set beside it.
    pub differs: Vec<String>,
    /// What could not be verified of a row that published results are set beside.
    pub unverified: Vec<String>,
    /// Where the numbers are from, if it is a published row and not one of runs.
    pub published: Option<&'static Source>,
}

/// How the results of a row were made; more than one of each where its runs differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// Names of the CLIPs, with the first digits of their fingerprints.
    pub clips: Vec<String>,
    /// Precisions of the arithmetic.
    pub precisions: Vec<String>,
    /// Epochs of the trainings.
    pub epochs: Vec<usize>,
    /// Names and versions of the programs.
    pub programs: Vec<String>,
}

/// A number over the seeds, in per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The mean; in the column of harmonic means, the harmonic mean of the two means.
    pub mean: f64,
    /// Population standard deviation over the seeds (divided by n, as in the reference's log
    /// parser); `None` for fewer than two.
    pub standard_deviation: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean, by Student's t; `None` for fewer
    /// than three seeds, and where all agree.
    pub interval: Option<f64>,
    /// Number of runs that it is computed from.
    pub runs: usize,
    /// The paper's result.
    pub published: Option<f64>,
}

impl Made {
    /// Adds how other results were made.
    pub(crate) fn add(&mut self, other: &Self) {
        self.clips.extend_from_slice(&other.clips);
        self.precisions.extend_from_slice(&other.precisions);
        self.epochs.extend_from_slice(&other.epochs);
        self.programs.extend_from_slice(&other.programs);
        self.sort();
    }

    /// Sorts, and removes what occurs twice.
    pub(crate) fn sort(&mut self) {
        for texts in [&mut self.clips, &mut self.precisions, &mut self.programs] {
            texts.sort_unstable();
            texts.dedup();
        }
        self.epochs.sort_unstable();
        self.epochs.dedup();
    }
}

impl Table {
    /// Whether every result that has a published counterpart can be compared with it, and any has.
    pub fn is_comparable(&self) -> bool {
        let rows = || self.data_sets.iter().flat_map(|(_, rows)| rows);
        let has_published = |row: &Row| row.cells.iter().flatten().any(|c| c.published.is_some());
        rows().all(|row| row.differs.is_empty()) && rows().any(has_published)
    }
}

impl Cell {
    /// A number of a published row.
    pub(crate) fn published(mean: f64) -> Self {
        Self {
            mean,
            standard_deviation: None,
            interval: None,
            runs: 0,
            published: None,
        }
    }

    /// The mean minus the paper's result.
    pub fn difference(&self) -> Option<f64> {
        self.published.map(|published| self.mean - published)
    }
}
