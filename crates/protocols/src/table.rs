//! A table of results: of each data set and their average, a row for each method.

use crate::column::Column;
use crate::protocol::Protocol;
use crate::results::RunId;

/// The results of one protocol; of those but few-shot learning, with one number of shots.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The protocol.
    pub protocol: Protocol,
    /// Images a class; empty where only methods are shown that learn nothing.
    pub shots: Vec<usize>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// What the columns show.
    pub columns: Vec<Column>,
    /// Results by data set; of a transfer its source first.
    pub data_sets: Vec<(String, Vec<Row>)>,
    /// Averages over the data sets, a transfer's source left out.
    pub average: Vec<Row>,
    /// Runs without which the table is not whole.
    pub missing: Vec<RunId>,
}

/// Results of a method.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// By column; `None` where nothing is known yet.
    pub cells: Vec<Option<Cell>>,
}

/// A number over the seeds, in per cent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The mean. Of the harmonic mean: that of the two means.
    pub mean: f64,
    /// Population deviation over the seeds (divided by n, as the reference's log parser does);
    /// `None` for fewer than two.
    pub deviation: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean, by Student's t.
    pub interval: Option<f64>,
    /// Runs behind it.
    pub runs: usize,
    /// The paper's result.
    pub published: Option<f64>,
}

impl Cell {
    /// How much more than the paper's result.
    pub fn difference(&self) -> Option<f64> {
        self.published.map(|published| self.mean - published)
    }
}
