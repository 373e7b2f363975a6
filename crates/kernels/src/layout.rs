//! Which rows attend to which, and which rows' outputs are computed.

/// Rows of several sequences, one after another without padding.
///
/// A row attends to, in this order: the constant rows and the shared rows that a block is called
/// with (every sequence attends to all of those), and the rows of its own sequence: all of them, or
/// in a causal layout those up to itself. Every row is attended to; only the *output rows* go on to
/// the next block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// First row of each sequence, and the end of the last.
    starts: Vec<usize>,
    causal: bool,
    /// The output rows, in ascending order; all rows where there is no list.
    output_rows: Option<Vec<usize>>,
    /// Where each sequence's output rows begin among all output rows, and the end of the last's.
    output_starts: Vec<usize>,
}

impl Layout {
    /// Sequences of these lengths, of which every row is an output row.
    pub fn new(lengths: impl IntoIterator<Item = usize>, causal: bool) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for length in lengths {
            end += length;
            starts.push(end);
        }
        Self {
            output_starts: starts.clone(),
            starts,
            causal,
            output_rows: None,
        }
    }

    /// The same sequences with these output rows only.
    ///
    /// # Panics
    /// If they are not in ascending order or not rows of the layout.
    pub fn with_outputs(self, rows: Vec<usize>) -> Self {
        assert!(
            rows.is_sorted_by(|a, b| a < b) && rows.last().is_none_or(|row| *row < self.rows()),
            "output rows {rows:?} of {}",
            self.rows()
        );
        let output_starts = self
            .starts
            .iter()
            .map(|start| rows.partition_point(|row| row < start))
            .collect();
        Self {
            output_rows: Some(rows),
            output_starts,
            ..self
        }
    }

    /// Number of rows of all sequences.
    pub fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of sequence `s`.
    pub fn sequence(&self, s: usize) -> std::ops::Range<usize> {
        self.starts[s]..self.starts[s + 1]
    }

    /// Where the output rows of sequence `s` are among all output rows.
    pub fn outputs_of(&self, s: usize) -> std::ops::Range<usize> {
        self.output_starts[s]..self.output_starts[s + 1]
    }

    /// Whether no row attends to later rows of its sequence.
    pub fn is_causal(&self) -> bool {
        self.causal
    }

    /// The output rows in ascending order; none where all rows are.
    pub fn output_rows(&self) -> Option<&[usize]> {
        self.output_rows.as_deref()
    }

    /// Number of output rows.
    pub fn outputs(&self) -> usize {
        self.output_rows.as_ref().map_or(self.rows(), Vec::len)
    }

    /// The `i`-th output row.
    pub fn output_row(&self, i: usize) -> usize {
        self.output_rows.as_ref().map_or(i, |rows| rows[i])
    }

    /// Length of the longest sequence.
    pub fn longest(&self) -> usize {
        (0..self.sequences())
            .map(|s| self.sequence(s).len())
            .max()
            .unwrap_or(0)
    }
}
