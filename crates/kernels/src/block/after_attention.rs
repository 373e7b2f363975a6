//! The half of a block after the attention: output projection, residual, layer normalisation and
//! MLP, forward and backward.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::convert::round_rows;
use crate::disjoint::DisjointParts;
use crate::epilogue::{activate_backward, activate_biased, add_biased, store_biased, store_sums};
use crate::layer_norm::{normalise, normalise_backward};
use crate::layout::Layout;
use crate::microkernel::Microkernel;
use crate::product::product;

use super::rows::{row_ranges, select_outputs};
use super::saved::{Normalised, SavedMlp};
use super::shape::BlockShape;
use super::typed::Block;

impl<E: Microkernel> Block<E> {
    /// The block's result `[outputs, width]` from the own rows `[rows, width]` and the attention's
    /// result `attended` `[outputs, stride]`; with what the backward pass needs, if it is to be
    /// saved.
    ///
    /// `x + out_proj(attended)`, then `x + c_proj(activation(c_fc(norm(x))))`.
    pub fn after_attention(
        &self,
        own: &[f32],
        attended: &[E],
        layout: &Layout,
        save: bool,
    ) -> (Vec<f32>, Option<SavedMlp<E>>) {
        let BlockShape { width, hidden, .. } = self.shape;
        let (stride, hidden_stride) = (self.stride(), self.hidden_stride());
        let outputs = layout.outputs();
        let mut out = vec![0.0f32; outputs * width];
        let mut saved = save.then(|| SavedMlp {
            normalised: Normalised {
                rows: Buffer::unspecified(outputs * stride),
                inverse_std: Buffer::unspecified(outputs),
            },
            hidden: Buffer::<E>::unspecified(outputs * hidden),
        });
        let out_parts = DisjointParts::new(&mut out);
        let saved_parts = saved.as_mut().map(|saved| {
            (
                DisjointParts::new(&mut saved.normalised.rows),
                DisjointParts::new(&mut saved.normalised.inverse_std),
                DisjointParts::new(&mut saved.hidden),
            )
        });
        row_ranges(outputs, self.most_rows())
            .into_par_iter()
            .for_each(|range| {
                let (from, len) = (range.start, range.len());
                // SAFETY: the ranges of rows are disjoint.
                let out = unsafe { out_parts.part(from * width, len * width) };
                select_outputs(own, width, range.clone(), layout, out);
                let attended = &attended[from * stride..(from + len) * stride];
                let linear = &self.out_proj;
                product(self.set, len, attended, stride, linear.forward(), |chunk| {
                    add_biased(self.set, &chunk, len, &linear.bias, out, width);
                });

                // [len, stride], [len] and [len, hidden]: saved, or for this range only.
                let mut own_normalised;
                let mut own_inverse_std;
                let (normalised, inverse_std, mut saved_hidden) = match &saved_parts {
                    // SAFETY: as above.
                    Some((normalised, inverse_std, hidden_parts)) => unsafe {
                        (
                            normalised.part(from * stride, len * stride),
                            inverse_std.part(from, len),
                            Some(hidden_parts.part(from * hidden, len * hidden)),
                        )
                    },
                    None => {
                        own_normalised = Buffer::<E>::unspecified(len * stride);
                        own_inverse_std = Buffer::<f32>::unspecified(len);
                        (&mut own_normalised[..], &mut own_inverse_std[..], None)
                    }
                };
                let epsilon = self.shape.epsilon;
                normalise(
                    self.set,
                    out,
                    width,
                    epsilon,
                    normalised,
                    stride,
                    inverse_std,
                );
                // [len, hidden_stride]
                let mut activated = Buffer::<E>::unspecified(len * hidden_stride);
                if !hidden.is_multiple_of(E::GROUP) {
                    // One number beyond each row is multiplied by the packed matrix's zeros.
                    activated.fill(E::default());
                }
                let linear = &self.c_fc;
                product(
                    self.set,
                    len,
                    normalised,
                    stride,
                    linear.forward(),
                    |chunk| {
                        activate_biased(
                            self.set,
                            &chunk,
                            len,
                            &linear.bias,
                            self.shape.activation,
                            saved_hidden.as_deref_mut().map(|saved| (saved, hidden)),
                            &mut activated,
                            hidden_stride,
                        );
                    },
                );
                let linear = &self.c_proj;
                product(
                    self.set,
                    len,
                    &activated,
                    hidden_stride,
                    linear.forward(),
                    |chunk| add_biased(self.set, &chunk, len, &linear.bias, out, width),
                );
            });
        (out, saved)
    }

    /// From the gradient of [`after_attention`](Self::after_attention)'s result `[outputs, width]`
    /// to that of the output rows, written to `residual` `[outputs, width]`, and that of the
    /// attention's result, `[outputs, stride]`.
    pub fn after_attention_backward(
        &self,
        gradient: &[f32],
        saved: &SavedMlp<E>,
        residual: &mut [f32],
    ) -> Buffer<E> {
        let BlockShape { width, hidden, .. } = self.shape;
        let (stride, hidden_stride) = (self.stride(), self.hidden_stride());
        let normalised = &saved.normalised;
        let outputs = residual.len() / width;
        let mut attended = Buffer::<E>::unspecified(outputs * stride);
        let attended_parts = DisjointParts::new(&mut attended);
        let residual_parts = DisjointParts::new(residual);
        row_ranges(outputs, self.most_rows())
            .into_par_iter()
            .for_each(|range| {
                let (from, len) = (range.start, range.len());
                // SAFETY: the ranges of rows are disjoint.
                let (residual, attended) = unsafe {
                    (
                        residual_parts.part(from * width, len * width),
                        attended_parts.part(from * stride, len * stride),
                    )
                };
                residual.copy_from_slice(&gradient[from * width..(from + len) * width]);
                // [len, stride]
                let mut rounded = Buffer::<E>::unspecified(len * stride);
                round_rows(self.set, residual, width, &mut rounded, stride);
                // Gradient of the MLP's hidden rows, [len, hidden_stride].
                let mut inner = Buffer::<E>::unspecified(len * hidden_stride);
                if !hidden.is_multiple_of(E::GROUP) {
                    inner.fill(E::default());
                }
                let saved_hidden = &saved.hidden[from * hidden..(from + len) * hidden];
                let weight = self.c_proj.backward(self.set);
                product(self.set, len, &rounded, stride, weight, |chunk| {
                    activate_backward(
                        self.set,
                        &chunk,
                        len,
                        self.shape.activation,
                        saved_hidden,
                        hidden,
                        &mut inner,
                        hidden_stride,
                    );
                });
                // Gradient of the normalised rows, [len, width].
                let mut sums = Buffer::<f32>::unspecified(len * width);
                let weight = self.c_fc.backward(self.set);
                product(self.set, len, &inner, hidden_stride, weight, |chunk| {
                    store_sums(self.set, &chunk, len, false, &mut sums, width);
                });
                normalise_backward(
                    self.set,
                    &sums,
                    width,
                    &normalised.rows[from * stride..],
                    stride,
                    &normalised.inverse_std[from..],
                    residual,
                );
                round_rows(self.set, residual, width, &mut rounded, stride);
                let weight = self.out_proj.backward(self.set);
                let no_bias = vec![0.0; width];
                product(self.set, len, &rounded, stride, weight, |chunk| {
                    store_biased(self.set, &chunk, len, &no_bias, attended, stride);
                });
            });
        attended
    }
}
