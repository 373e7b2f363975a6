//! The backward pass of an attention.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::convert::narrow;
use crate::disjoint::DisjointParts;
use crate::element::Element;
use crate::microkernel::{Microkernel, panel};
use crate::softmax::{exponentials, scale, softmax_backward};
use crate::tile::{Left, Order, PANEL, TILE, panel_width};

use super::operands::Attention;
use super::panels::Panels;

/// Where the backward pass writes gradients.
pub(crate) struct AttentionGradients<'a, E> {
    /// Of the layout's rows; none where they are not needed.
    pub own: Option<QkvGradients<'a, E>>,
    /// Of the shared rows' keys and values, `[shared rows, 2 * width]`.
    pub shared: &'a mut [f32],
}

/// Gradients of the layout's rows.
pub(crate) struct QkvGradients<'a, E> {
    /// Of the output rows' queries, `[outputs, query_stride]`.
    pub query: &'a mut [E],
    pub query_stride: usize,
    /// Of keys and values, `[rows, key_value_stride]`.
    pub key_value: &'a mut [E],
    pub key_value_stride: usize,
}

impl<E: Microkernel> Attention<'_, E> {
    /// Gradients of queries, keys and values from the `gradient` `[outputs, stride]` of what
    /// [`forward`](Self::forward) wrote.
    pub fn backward(&self, gradient: &[E], stride: usize, into: AttentionGradients<E>) {
        let width = self.width();
        let shared_len = self.shared.len();
        let groups = self.groups();
        // [groups, shared rows, 2 * width]
        let mut partial = Buffer::<f32>::zeros(groups * shared_len);
        {
            let partial = DisjointParts::new(&mut partial);
            let own = into.own.map(|own| {
                (
                    DisjointParts::new(own.query),
                    own.query_stride,
                    DisjointParts::new(own.key_value),
                    own.key_value_stride,
                )
            });
            self.tasks().into_par_iter().for_each(|(g, head)| {
                let mut task = BackwardTask::new(self);
                for (nth, s) in self.group(g).enumerate() {
                    task.weights_and_score_gradients(s, head, gradient, stride, nth == 0);
                    if let Some((query, query_stride, key_value, key_value_stride)) = &own {
                        task.query_gradients(s, head, query, *query_stride);
                        let rows = self.layout.sequence(s);
                        task.key_value_gradients(
                            self.fixed_rows()..self.fixed_rows() + rows.len(),
                            s,
                            |j, dk, dv| {
                                let at = (rows.start + j) * key_value_stride + head * self.head_dim;
                                // SAFETY: no other task has this head of this row, and the parts of
                                // keys and values are `width` apart.
                                unsafe {
                                    narrow(self.set, dk, 1.0, key_value.part(at, self.head_dim));
                                    narrow(
                                        self.set,
                                        dv,
                                        1.0,
                                        key_value.part(at + width, self.head_dim),
                                    );
                                }
                            },
                        );
                    }
                    task.key_value_gradients(
                        self.constant_rows()..self.fixed_rows(),
                        s,
                        |j, dk, dv| {
                            let at = g * shared_len + j * 2 * width + head * self.head_dim;
                            for (offset, part) in [(0, dk), (width, dv)] {
                                // SAFETY: no other task has this head of this group's sums.
                                let sums = unsafe { partial.part(at + offset, self.head_dim) };
                                for (sum, x) in sums.iter_mut().zip(part) {
                                    *sum += x;
                                }
                            }
                        },
                    );
                }
            });
        }
        // In the order of the groups, whichever thread computed them: the sums do not depend on the
        // number of threads.
        into.shared.fill(0.0);
        for part in partial.chunks_exact(shared_len.max(1)) {
            for (sum, x) in into.shared.iter_mut().zip(part) {
                *sum += x;
            }
        }
    }
}

/// Working memory of the backward pass of one head.
struct BackwardTask<'a, E: Element> {
    of: &'a Attention<'a, E>,
    /// Rows that a sequence attends to, padded to whole panels.
    stride: usize,
    /// `head_dim` padded to whole panels.
    padded_dim: usize,
    /// `[head_dim, rows]`.
    keys_transposed: Panels<E>,
    /// `[head_dim, rows]`.
    values_transposed: Panels<E>,
    /// `[rows, head_dim]`.
    keys: Panels<E>,
    /// `[output rows of the sequence, head_dim]`.
    queries: Panels<f32>,
    /// Of the attention's result, `[output rows of the sequence, head_dim]`.
    gradients: Panels<f32>,
    /// `[output rows of the sequence, stride]`.
    weights: Buffer<f32>,
    /// Gradients of the scores, `[output rows of the sequence, stride]`.
    score_gradients: Buffer<f32>,
    /// A left operand, `[TILE, padded head]`.
    rows: Buffer<E>,
    /// `[TILE, stride]`.
    rounded: Buffer<E>,
    /// `[TILE, padded_dim]`: gradients of queries or keys.
    sums: Buffer<f32>,
    /// `[TILE, padded_dim]`: gradients of values.
    value_sums: Buffer<f32>,
}

impl<'a, E: Microkernel> BackwardTask<'a, E> {
    fn new(of: &'a Attention<'a, E>) -> Self {
        let (dim, longest) = (of.head_dim, of.longest());
        let stride = longest.next_multiple_of(PANEL);
        let padded_dim = dim.next_multiple_of(PANEL);
        let most = (0..of.layout.sequences())
            .map(|s| of.layout.outputs_of(s).len())
            .max()
            .unwrap_or(0);
        Self {
            of,
            stride,
            padded_dim,
            keys_transposed: Panels::new(of.set, dim, longest),
            values_transposed: Panels::new(of.set, dim, longest),
            keys: Panels::new(of.set, longest, dim),
            queries: Panels::new(of.set, most, dim),
            gradients: Panels::new(of.set, most, dim),
            weights: Buffer::unspecified(most * stride),
            score_gradients: Buffer::unspecified(most * stride),
            rows: Buffer::zeros(TILE * of.padded_head()),
            rounded: Buffer::unspecified(TILE * stride),
            sums: Buffer::unspecified(TILE * padded_dim),
            value_sums: Buffer::unspecified(TILE * padded_dim),
        }
    }

    /// Weights and the gradients of scores, of all output rows of a sequence.
    fn weights_and_score_gradients(
        &mut self,
        s: usize,
        head: usize,
        gradient: &[E],
        gradient_stride: usize,
        first: bool,
    ) {
        let of = self.of;
        let dim = of.head_dim;
        let factor = 1.0 / (dim as f32).sqrt();
        of.set_columns(&mut self.keys_transposed, s, head, 0, first);
        of.set_columns(&mut self.values_transposed, s, head, of.width(), first);
        of.set_rows(&mut self.keys, s, head, 0, first);
        let outputs = of.layout.outputs_of(s);
        for from in outputs.clone().step_by(TILE) {
            let n = TILE.min(outputs.end - from);
            let attended = of.attended_rows(s, from + n - 1);
            let at = (from - outputs.start) * self.stride;
            let weights = &mut self.weights[at..];
            let score_gradients = &mut self.score_gradients[at..];
            for i in 0..n {
                let query = of.head(of.query, of.width(), from + i, head);
                self.queries
                    .set_widened(of.set, from + i - outputs.start, query);
                self.rows[i * of.padded_head()..][..dim].copy_from_slice(query);
            }
            of.row_products(
                &self.rows,
                n,
                &self.keys_transposed,
                attended,
                weights,
                self.stride,
            );
            for i in 0..n {
                let g = of.head(gradient, gradient_stride, from + i, head);
                self.gradients
                    .set_widened(of.set, from + i - outputs.start, g);
                self.rows[i * of.padded_head()..][..dim].copy_from_slice(g);
            }
            of.row_products(
                &self.rows,
                n,
                &self.values_transposed,
                attended,
                score_gradients,
                self.stride,
            );
            for i in 0..n {
                let attended = of.attended_rows(s, from + i);
                let row = i * self.stride..(i + 1) * self.stride;
                let weights = &mut weights[row.clone()];
                let sum = exponentials(of.set, weights, attended, factor);
                scale(of.set, &mut weights[..attended], 1.0 / sum);
                let gradients = &mut score_gradients[row];
                gradients[attended..].fill(0.0);
                softmax_backward(
                    of.set,
                    &weights[..attended],
                    &mut gradients[..attended],
                    factor,
                );
            }
        }
    }

    /// Gradients of the queries of a sequence's output rows, into `out` `[outputs, out_stride]`.
    fn query_gradients(
        &mut self,
        s: usize,
        head: usize,
        out: &DisjointParts<E>,
        out_stride: usize,
    ) {
        let of = self.of;
        let outputs = of.layout.outputs_of(s);
        for from in outputs.clone().step_by(TILE) {
            let n = TILE.min(outputs.end - from);
            let attended = of.attended_rows(s, from + n - 1);
            let left = Left {
                values: &self.score_gradients[(from - outputs.start) * self.stride..],
                stride: self.stride,
                order: Order::RowMajor,
            };
            of.weighted_sums(
                left,
                n,
                attended,
                &self.keys,
                &mut self.rounded,
                &mut self.sums,
            );
            for i in 0..n {
                let at = (from + i) * out_stride + head * of.head_dim;
                // SAFETY: no other task has this head of this row.
                let out = unsafe { out.part(at, of.head_dim) };
                narrow(of.set, &self.sums[i * self.padded_dim..], 1.0, out);
            }
        }
    }

    /// Gradients of the keys and values of some rows that the sequence attends to: `out` is called
    /// with a row's index in `which` and both gradients, `[head_dim]` each.
    fn key_value_gradients(
        &mut self,
        which: std::ops::Range<usize>,
        s: usize,
        mut out: impl FnMut(usize, &[f32], &[f32]),
    ) {
        let of = self.of;
        let outputs = of.layout.outputs_of(s).len();
        for from in which.clone().step_by(TILE) {
            let n = TILE.min(which.end - from);
            for (left, right, sums) in [
                (&self.score_gradients, &self.queries, &mut self.sums),
                (&self.weights, &self.gradients, &mut self.value_sums),
            ] {
                for column in (0..of.head_dim).step_by(panel_width(of.set)) {
                    panel(
                        of.set,
                        n,
                        outputs,
                        Left {
                            values: &left[from.min(left.len())..],
                            stride: self.stride,
                            order: Order::ColumnMajor,
                        },
                        right.panel(column),
                        &mut sums[column..],
                        self.padded_dim,
                    );
                }
            }
            for i in 0..n {
                let row = i * self.padded_dim..i * self.padded_dim + of.head_dim;
                out(
                    from - which.start + i,
                    &self.sums[row.clone()],
                    &self.value_sums[row],
                );
            }
        }
    }
}
