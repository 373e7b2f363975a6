//! Rows of several sequences: for the kernels as a layout, for plain operations as a padded batch.

use std::sync::{Arc, OnceLock};

use burn::tensor::{Device, Int, Tensor, TensorData};
use promptsrc_kernels::Layout;

/// A [`Layout`], and what plain tensor operations need to compute with it.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub layout: Arc<Layout>,
    padding: Arc<OnceLock<Padding>>,
}

/// Indices that turn rows into a padded batch `[sequences, longest]` and back; none where nothing
/// moves.
#[derive(Debug)]
pub(crate) struct Padding {
    /// `[output rows]`: of all rows those whose output is read, where not all are.
    pub outputs: Option<Tensor<1, Int>>,
    /// `[sequences * longest]`: of all rows those of the padded batch, where the sequences differ
    /// in length.
    pub own: Option<Tensor<1, Int>>,
    /// `[sequences * most outputs]`: of the output rows those of the padded batch of queries.
    pub queries: Option<Tensor<1, Int>>,
    /// `[output rows]`: of the padded batch of queries those that are output rows.
    pub unpad: Option<Tensor<1, Int>>,
    /// `[sequences or 1, 1, most outputs, longest]`: what a query does not see.
    pub mask: Option<Tensor<4>>,
}

impl Rows {
    pub fn new(layout: Layout) -> Self {
        Self {
            layout: Arc::new(layout),
            padding: Arc::default(),
        }
    }

    /// One causal sequence of `n` rows, of which the outputs of the last `outputs` are read.
    pub fn one(n: usize, outputs: usize) -> Self {
        let layout = Layout::new([n], true);
        Self::new(if outputs < n {
            layout.with_outputs((n - outputs..n).collect())
        } else {
            layout
        })
    }

    /// Made on first use: the kernels need none.
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
        let ragged_outputs = (0..sequences).any(|s| layout.outputs_of(s).len() != most);

        // Padding is masked (rows) or dropped (queries), so row 0 serves as well as any.
        let batch = |length: usize, range: &dyn Fn(usize) -> std::ops::Range<usize>| {
            let places: Vec<usize> = (0..sequences)
                .flat_map(|s| {
                    let range = range(s);
                    (0..length).map(move |i| if i < range.len() { range.start + i } else { 0 })
                })
                .collect();
            indices(&places, device)
        };
        let unpad: Vec<usize> = (0..sequences)
            .flat_map(|s| (0..layout.outputs_of(s).len()).map(move |i| s * most + i))
            .collect();
        let all_rows = layout.output_rows().is_none();
        let sees = |s: usize, query: usize, row: usize| {
            let (sequence, outputs) = (layout.sequence(s), layout.outputs_of(s));
            if query >= outputs.len() {
                return true;
            }
            let last = if layout.is_causal() {
                layout.output_row(outputs.start + query) - sequence.start
            } else {
                sequence.len().saturating_sub(1)
            };
            row <= last
        };
        let mask = if !layout.is_causal() && !ragged {
            None
        } else if all_rows && !ragged {
            Some(mask([1, most, longest], device, sees))
        } else {
            Some(mask([sequences, most, longest], device, sees))
        };
        Self {
            outputs: layout.output_rows().map(|rows| indices(rows, device)),
            own: ragged.then(|| batch(longest, &|s| layout.sequence(s))),
            queries: ragged_outputs.then(|| batch(most, &|s| layout.outputs_of(s))),
            unpad: ragged_outputs.then(|| indices(&unpad, device)),
            mask,
        }
    }
}

/// A mask `[sequences or 1, 1, queries, rows]` that hides from a query the rows for which
/// `sees(sequence, query, row)` is false.
fn mask(
    [sequences, queries, rows]: [usize; 3],
    device: &Device,
    sees: impl Fn(usize, usize, usize) -> bool,
) -> Tensor<4> {
    let mut values = Vec::with_capacity(sequences * queries * rows);
    for s in 0..sequences {
        for q in 0..queries {
            for r in 0..rows {
                values.push(if sees(s, q, r) {
                    0.0f32
                } else {
                    f32::NEG_INFINITY
                });
            }
        }
    }
    Tensor::from_data(
        TensorData::new(values, [sequences, 1, queries, rows]),
        device,
    )
}

/// Row numbers as an index tensor `[n]`.
pub(crate) fn indices(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|r| *r as i64).collect();
    let n = rows.len();
    Tensor::from_data(TensorData::new(rows, [n]), device)
}

/// The rows of `x` `[rows, width]` that are listed, or all where there is no list.
pub(crate) fn selected(x: Tensor<2>, rows: Option<&Tensor<1, Int>>) -> Tensor<2> {
    match rows {
        Some(rows) => x.select(0, rows.clone()),
        None => x,
    }
}
