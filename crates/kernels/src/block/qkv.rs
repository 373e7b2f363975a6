//! The half of a block before the attention: layer normalisation and the projection to queries,
//! keys and values, forward and backward.

use std::sync::Arc;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::disjoint::DisjointParts;
use crate::epilogue::{store_biased, store_sums};
use crate::layer_norm::{normalise, normalise_backward};
use crate::layout::Layout;
use crate::microkernel::Microkernel;
use crate::product::product;

use super::linear::Linear;
use super::rows::{row_ranges, select_outputs};
use super::saved::{Normalised, Projection};
use super::typed::Block;

/// Gradients of queries, keys and values.
pub(crate) struct ProjectionGradients<'a, E> {
    /// Of keys and values, `[rows, double_stride]`.
    pub key_value: &'a [E],
    /// Of the output rows' queries, `[outputs, stride]`, with the layout that says which these are;
    /// none for rows without queries.
    pub query: Option<(&'a [E], &'a Layout)>,
}

impl<E: Microkernel> Block<E> {
    /// Queries, keys and values of rows `x` `[rows, width]`.
    pub fn project(&self, x: &[f32]) -> Projection<E> {
        let width = self.shape.width;
        let rows = x.len() / width;
        let mut query = Buffer::unspecified(rows * width);
        let mut key_value = Buffer::unspecified(rows * 2 * width);
        self.normalise_and_project(x, Some(&mut query), &mut key_value);
        Projection {
            query: Arc::new(query),
            key_value: Arc::new(key_value),
        }
    }

    /// Queries of the output rows only, keys and values of all rows `x` `[rows, width]`; and the
    /// rows as they were projected.
    pub fn project_for_outputs(
        &self,
        x: &[f32],
        layout: &Layout,
    ) -> (Projection<E>, Normalised<E>) {
        let width = self.shape.width;
        let rows = layout.rows();
        let mut key_value = Buffer::unspecified(rows * 2 * width);
        let (query, normalised) = if layout.output_rows().is_some() {
            let normalised = self.normalise_and_project(x, None, &mut key_value);
            (self.output_queries(&normalised.rows, layout), normalised)
        } else {
            let mut query = Buffer::unspecified(rows * width);
            let normalised = self.normalise_and_project(x, Some(&mut query), &mut key_value);
            (query, normalised)
        };
        let projection = Projection {
            query: Arc::new(query),
            key_value: Arc::new(key_value),
        };
        (projection, normalised)
    }

    /// The projection of [`project_for_outputs`](Self::project_for_outputs) from the normalised rows that
    /// it gave: the same numbers.
    pub fn project_again(&self, normalised: &Normalised<E>, layout: &Layout) -> Projection<E> {
        let (width, stride) = (self.shape.width, self.stride());
        let rows = layout.rows();
        let mut key_value = Buffer::unspecified(rows * 2 * width);
        let parts = DisjointParts::new(&mut key_value);
        row_ranges(rows, self.most_rows())
            .into_par_iter()
            .for_each(|range| {
                let (from, len) = (range.start, range.len());
                // SAFETY: the ranges of rows are disjoint.
                let key_value = unsafe { parts.part(from * 2 * width, len * 2 * width) };
                let normalised = &normalised.rows[from * stride..(from + len) * stride];
                self.project_rows(normalised, len, &self.key_value, key_value);
            });
        Projection {
            query: Arc::new(self.output_queries(&normalised.rows, layout)),
            key_value: Arc::new(key_value),
        }
    }

    /// Normalises rows `x` `[rows, width]` and projects them to `query` `[rows, width]`, if it is
    /// wanted, and to `key_value` `[rows, 2 * width]`.
    pub fn normalise_and_project(
        &self,
        x: &[f32],
        query: Option<&mut [E]>,
        key_value: &mut [E],
    ) -> Normalised<E> {
        let width = self.shape.width;
        let rows = x.len() / width;
        let stride = self.stride();
        let mut normalised = Normalised {
            rows: Buffer::unspecified(rows * stride),
            inverse_std: Buffer::unspecified(rows),
        };
        let normalised_parts = DisjointParts::new(&mut normalised.rows);
        let inverse_std_parts = DisjointParts::new(&mut normalised.inverse_std);
        let query_parts = query.map(DisjointParts::new);
        let key_value_parts = DisjointParts::new(key_value);
        row_ranges(rows, self.most_rows())
            .into_par_iter()
            .for_each(|range| {
                let (from, len) = (range.start, range.len());
                // SAFETY: the ranges of rows are disjoint.
                let (normalised, inverse_std, key_value) = unsafe {
                    (
                        normalised_parts.part(from * stride, len * stride),
                        inverse_std_parts.part(from, len),
                        key_value_parts.part(from * 2 * width, len * 2 * width),
                    )
                };
                let x = &x[from * width..(from + len) * width];
                let epsilon = self.shape.epsilon;
                normalise(self.set, x, width, epsilon, normalised, stride, inverse_std);
                if let Some(query_parts) = &query_parts {
                    // SAFETY: as above.
                    let query = unsafe { query_parts.part(from * width, len * width) };
                    self.project_rows(normalised, len, &self.query, query);
                }
                self.project_rows(normalised, len, &self.key_value, key_value);
            });
        normalised
    }

    /// `[rows, stride]` -> `[rows, outputs of the layer]`.
    fn project_rows(&self, normalised: &[E], rows: usize, linear: &Linear<E>, out: &mut [E]) {
        let (stride, outputs) = (self.stride(), linear.bias.len());
        product(
            self.set,
            rows,
            normalised,
            stride,
            linear.forward(),
            |chunk| store_biased(self.set, &chunk, rows, &linear.bias, out, outputs),
        );
    }

    /// Queries `[outputs, width]` of the output rows among the normalised rows `[rows, stride]`.
    fn output_queries(&self, normalised: &[E], layout: &Layout) -> Buffer<E> {
        let (width, stride) = (self.shape.width, self.stride());
        let outputs = layout.outputs();
        let mut query = Buffer::unspecified(outputs * width);
        let query_parts = DisjointParts::new(&mut query);
        row_ranges(outputs, self.most_rows())
            .into_par_iter()
            .for_each(|range| {
                let len = range.len();
                let mut rows = Buffer::unspecified(len * stride);
                // SAFETY: the ranges of rows are disjoint.
                let query = unsafe { query_parts.part(range.start * width, len * width) };
                select_outputs(normalised, stride, range, layout, &mut rows);
                self.project_rows(&rows, len, &self.query, query);
            });
        query
    }

    /// From the gradients of a projection to those of the rows, `out` `[rows, width]`: added to
    /// `residual` `[rows, width]` where it is given, else to what is in `out`.
    pub fn project_backward(
        &self,
        gradients: ProjectionGradients<E>,
        normalised: &Normalised<E>,
        residual: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let width = self.shape.width;
        let (stride, double_stride) = (self.stride(), self.double_stride());
        let ProjectionGradients { key_value, query } = gradients;
        let rows = out.len() / width;
        let out_parts = DisjointParts::new(out);
        row_ranges(rows, self.most_rows())
            .into_par_iter()
            .for_each(|range| {
                let (from, len) = (range.start, range.len());
                // SAFETY: the ranges of rows are disjoint.
                let out = unsafe { out_parts.part(from * width, len * width) };
                if let Some(residual) = residual {
                    out.copy_from_slice(&residual[from * width..(from + len) * width]);
                }
                // Gradient of the normalised rows, [len, width].
                let mut sums = Buffer::<f32>::unspecified(len * width);
                let key_value = &key_value[from * double_stride..(from + len) * double_stride];
                let weight = self.key_value.backward(self.set);
                product(self.set, len, key_value, double_stride, weight, |chunk| {
                    store_sums(self.set, &chunk, len, false, &mut sums, width);
                });
                match query {
                    None => {}
                    Some((query, layout)) => match layout.output_rows() {
                        None => {
                            let query = &query[from * stride..(from + len) * stride];
                            let weight = self.query.backward(self.set);
                            product(self.set, len, query, stride, weight, |chunk| {
                                store_sums(self.set, &chunk, len, true, &mut sums, width);
                            });
                        }
                        Some(list) => {
                            let first = list.partition_point(|row| *row < range.start);
                            let last = list.partition_point(|row| *row < range.end);
                            let n = last - first;
                            // [output rows in the range, width]
                            let mut output_sums = Buffer::<f32>::unspecified(n * width);
                            let query = &query[first * stride..last * stride];
                            let weight = self.query.backward(self.set);
                            product(self.set, n, query, stride, weight, |chunk| {
                                store_sums(self.set, &chunk, n, false, &mut output_sums, width);
                            });
                            let output_sums = output_sums.chunks_exact(width);
                            for (row, output_sums) in list[first..last].iter().zip(output_sums) {
                                let sums = &mut sums[(row - from) * width..][..width];
                                for (sum, x) in sums.iter_mut().zip(output_sums) {
                                    *sum += x;
                                }
                            }
                        }
                    },
                }
                normalise_backward(
                    self.set,
                    &sums,
                    width,
                    &normalised.rows[from * stride..],
                    stride,
                    &normalised.inverse_std[from..],
                    out,
                );
            });
    }
}
