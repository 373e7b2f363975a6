//! Which rows attend to which, and whose outputs are read.

/// Rows of several sequences, one after another without padding.
///
/// Each sequence's rows see, in this order: the constant rows and the shared rows that a block is given
/// with the call (every sequence sees all of those), and the rows of their own sequence: all of
/// them, or in a causal layout those up to themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where each sequence begins, and the end of the last.
    starts: Vec<usize>,
    causal: bool,
    /// The rows whose outputs are read, in ascending order; all where there is no list.
    live: Option<Vec<usize>>,
    /// Where each sequence's live rows begin, and the end of the last's.
    live_starts: Vec<usize>,
}

impl Layout {
    /// Sequences of these lengths, every output of which is read.
    pub fn new(lengths: impl IntoIterator<Item = usize>, causal: bool) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for length in lengths {
            end += length;
            starts.push(end);
        }
        Self {
            live_starts: starts.clone(),
            starts,
            causal,
            live: None,
        }
    }

    /// The same sequences, of which only these rows' outputs are read.
    ///
    /// # Panics
    /// If they are not in ascending order or not all rows of the layout.
    pub fn reading(self, live: Vec<usize>) -> Self {
        assert!(
            live.is_sorted_by(|a, b| a < b) && live.last().is_none_or(|l| *l < self.rows()),
            "live rows {live:?} of {}",
            self.rows()
        );
        let live_starts = self
            .starts
            .iter()
            .map(|start| live.partition_point(|row| row < start))
            .collect();
        Self {
            live: Some(live),
            live_starts,
            ..self
        }
    }

    /// Rows of all sequences.
    pub fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.starts.len() - 1
    }

    /// Rows of one sequence.
    pub fn sequence(&self, s: usize) -> std::ops::Range<usize> {
        self.starts[s]..self.starts[s + 1]
    }

    /// Places of a sequence's live rows among all live rows.
    pub fn live_of(&self, s: usize) -> std::ops::Range<usize> {
        self.live_starts[s]..self.live_starts[s + 1]
    }

    /// Whether a row sees no later row of its sequence.
    pub fn is_causal(&self) -> bool {
        self.causal
    }

    /// The rows whose outputs are read, where not all are.
    pub fn live(&self) -> Option<&[usize]> {
        self.live.as_deref()
    }

    /// Number of rows whose outputs are read.
    pub fn live_rows(&self) -> usize {
        self.live.as_ref().map_or(self.rows(), Vec::len)
    }

    /// The row that is the `l`-th of the live ones.
    pub fn live_row(&self, l: usize) -> usize {
        self.live.as_ref().map_or(l, |live| live[l])
    }

    /// The longest sequence.
    pub fn longest(&self) -> usize {
        (0..self.sequences())
            .map(|s| self.sequence(s).len())
            .max()
            .unwrap_or(0)
    }
}
