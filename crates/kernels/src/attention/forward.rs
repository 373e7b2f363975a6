//! The forward pass of an attention.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::convert::narrow;
use crate::disjoint::DisjointParts;
use crate::microkernel::Microkernel;
use crate::softmax::exponentials;
use crate::tile::{Left, Order, PANEL, TILE};

use super::operands::Attention;
use super::panels::Panels;

impl<E: Microkernel> Attention<'_, E> {
    /// The attention's result for each output row, rounded, into `out` `[outputs, out_stride]`.
    pub fn forward(&self, out: &mut [E], out_stride: usize) {
        let out = DisjointParts::new(out);
        let factor = 1.0 / (self.head_dim as f32).sqrt();
        let (dim, longest) = (self.head_dim, self.longest());
        let stride = longest.next_multiple_of(PANEL);
        let padded_dim = dim.next_multiple_of(PANEL);
        self.tasks().into_par_iter().for_each(|(g, head)| {
            // [head_dim, rows] and [rows, head_dim].
            let mut keys = Panels::new(self.set, dim, longest);
            let mut values = Panels::new(self.set, longest, dim);
            // [TILE, padded head].
            let mut queries = Buffer::<E>::zeros(TILE * self.padded_head());
            // [TILE, rows padded to whole panels]: scores, then weights.
            let mut weights = Buffer::<f32>::unspecified(TILE * stride);
            let mut rounded = Buffer::<E>::unspecified(TILE * stride);
            // [TILE, head_dim padded to whole panels].
            let mut sums = Buffer::<f32>::unspecified(TILE * padded_dim);
            for (nth, s) in self.group(g).enumerate() {
                let outputs = self.layout.outputs_of(s);
                if outputs.is_empty() {
                    // The next sequence relies on the rows that every sequence attends to.
                    if nth == 0 {
                        self.set_columns(&mut keys, s, head, 0, true);
                        self.set_rows(&mut values, s, head, self.width(), true);
                    }
                    continue;
                }
                self.set_columns(&mut keys, s, head, 0, nth == 0);
                self.set_rows(&mut values, s, head, self.width(), nth == 0);
                for from in outputs.clone().step_by(TILE) {
                    let n = TILE.min(outputs.end - from);
                    let attended = self.attended_rows(s, from + n - 1);
                    for i in 0..n {
                        let query = self.head(self.query, self.width(), from + i, head);
                        queries[i * self.padded_head()..][..dim].copy_from_slice(query);
                    }
                    self.row_products(&queries, n, &keys, attended, &mut weights, stride);
                    let mut inverse = [0.0f32; TILE];
                    for (i, inverse) in inverse[..n].iter_mut().enumerate() {
                        let row = &mut weights[i * stride..(i + 1) * stride];
                        *inverse = 1.0
                            / exponentials(self.set, row, self.attended_rows(s, from + i), factor);
                    }
                    let left = Left {
                        values: &weights[..],
                        stride,
                        order: Order::RowMajor,
                    };
                    self.weighted_sums(left, n, attended, &values, &mut rounded, &mut sums);
                    for (i, inverse) in inverse[..n].iter().enumerate() {
                        // SAFETY: no other task has this head of this row.
                        let out = unsafe { out.part((from + i) * out_stride + head * dim, dim) };
                        narrow(self.set, &sums[i * padded_dim..], *inverse, out);
                    }
                }
            }
        });
    }
}
