//! Rows of several sequences: for the kernels as a layout, for plain operations as a padded batch.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Int, Tensor};
use promptsrc_kernels::Layout;

use crate::attention::{indices, mask};

/// A [`Layout`], and what plain tensor operations need to compute with it.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub layout: Arc<Layout>,
    padding: Arc<OnceLock<Padding>>,
}

/// How rows become a batch `[sequences, longest]` and the batch rows again.
#[derive(Debug)]
pub(crate) struct Padding {
    /// Live rows among all, where not all are.
    pub live: Option<Tensor<1, Int>>,
    /// Rows of the padded batch among all, where the sequences differ in length.
    pub own: Option<Tensor<1, Int>>,
    /// Places of the padded batch of queries among the live rows.
    pub queries: Option<Tensor<1, Int>>,
    /// Places of the live rows in the padded batch of queries.
    pub back: Option<Tensor<1, Int>>,
    /// `[sequences or 1, 1, queries, rows]`: what a query does not see.
    pub mask: Option<Tensor<4>>,
}

impl Rows {
    pub fn new(layout: Layout) -> Self {
        Self {
            layout: Arc::new(layout),
            padding: Arc::default(),
        }
    }

    /// One causal sequence of `n` rows, of which the last `live` are read.
    pub fn one(n: usize, live: usize) -> Self {
        let layout = Layout::new([n], true);
        Self::new(if live < n {
            layout.with_outputs((n - live..n).collect())
        } else {
            layout
        })
    }

    /// Made on first use: the kernels have none.
    pub fn padding(&self, device: &Device) -> &Padding {
        self.padding
            .get_or_init(|| Padding::new(&self.layout, device))
    }
}

impl Padding {
    fn new(layout: &Layout, device: &Device) -> Self {
        let sequences = layout.sequences();
        let longest = layout.longest();
        let most = (0..sequences)
            .map(|s| layout.outputs_of(s).len())
            .max()
            .unwrap_or(0);
        let ragged = (0..sequences).any(|s| layout.sequence(s).len() != longest);
        let ragged_live = (0..sequences).any(|s| layout.outputs_of(s).len() != most);

        // What fills a sequence up is hidden (rows) or dropped (queries): any row will do.
        let batch = |length: usize, range: &dyn Fn(usize) -> std::ops::Range<usize>| {
            let places: Vec<usize> = (0..sequences)
                .flat_map(|s| {
                    let range = range(s);
                    (0..length).map(move |i| if i < range.len() { range.start + i } else { 0 })
                })
                .collect();
            indices(&places, device)
        };
        let back: Vec<usize> = (0..sequences)
            .flat_map(|s| (0..layout.outputs_of(s).len()).map(move |i| s * most + i))
            .collect();
        let all_live = layout.output_rows().is_none();
        let sees = |s: usize, query: usize, row: usize| {
            let (sequence, live) = (layout.sequence(s), layout.outputs_of(s));
            if query >= live.len() {
                return true;
            }
            let last = if layout.is_causal() {
                layout.output_row(live.start + query) - sequence.start
            } else {
                sequence.len().saturating_sub(1)
            };
            row <= last
        };
        let mask = if !layout.is_causal() && !ragged {
            None
        } else if all_live && !ragged {
            Some(mask([1, 1, most, longest], device, sees))
        } else {
            Some(mask([sequences, 1, most, longest], device, sees))
        };
        Self {
            live: layout.output_rows().map(|live| indices(live, device)),
            own: ragged.then(|| batch(longest, &|s| layout.sequence(s))),
            queries: ragged_live.then(|| batch(most, &|s| layout.outputs_of(s))),
            back: ragged_live.then(|| indices(&back, device)),
            mask,
        }
    }
}

/// The rows that a list names, or all.
pub(crate) fn picked(x: Tensor<2>, which: Option<&Tensor<1, Int>>) -> Tensor<2> {
    match which {
        Some(which) => x.select(0, which.clone()),
        None => x,
    }
}
