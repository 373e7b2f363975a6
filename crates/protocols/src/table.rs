//! A table of results: of each data set and their average, a row for each method.

use crate::column::Column;
use crate::protocol::Protocol;
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
    /// Runs that are missing: without them the table is not complete.
    pub missing: Vec<RunId>,
}

/// Results of a method.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// By column; `None` where there is no result yet.
    pub cells: Vec<Option<Cell>>,
}

/// A number over the seeds, in per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The mean; in the column of harmonic means, the harmonic mean of the two means.
    pub mean: f64,
    /// Population standard deviation over the seeds (divided by n, as in the reference's log
    /// parser); `None` for fewer than two.
    pub standard_deviation: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean, by Student's t.
    pub interval: Option<f64>,
    /// Number of runs that it is computed from.
    pub runs: usize,
    /// The paper's result.
    pub published: Option<f64>,
}

impl Cell {
    /// The mean minus the paper's result.
    pub fn difference(&self) -> Option<f64> {
        self.published.map(|published| self.mean - published)
    }
}
