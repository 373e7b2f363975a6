//! What is done with the sums of a product while they are in the cache: bias, activation, residual,
//! rounding.
//!
//! Each function is compiled for each instruction set ([`vectorised`]); the arithmetic is the same in
//! all versions.

use crate::activation::Activation;
use crate::element::Element;
use crate::product::Chunk;
use crate::vectorised::vectorised;

impl Chunk<'_> {
    /// The sums of row `r`, `[columns]`.
    #[inline(always)]
    fn row(&self, r: usize) -> &[f32] {
        &self.values[r * self.stride..r * self.stride + self.columns]
    }

    /// Where the chunk's columns of row `r` are in whole rows of `stride`.
    #[inline(always)]
    fn within(&self, r: usize, stride: usize) -> std::ops::Range<usize> {
        r * stride + self.first_column..r * stride + self.first_column + self.columns
    }
}

vectorised! {
    /// `sums + bias`, rounded, into `out` `[rows, stride]`.
    pub(crate) fn store_biased<E: Element>(
        set: InstructionSet,
        chunk: &Chunk,
        rows: usize,
        bias: &[f32],
        out: &mut [E],
        stride: usize,
    ) {
        let bias = &bias[chunk.within(0, 0)];
        for r in 0..rows {
            let out = &mut out[chunk.within(r, stride)];
            for ((out, x), b) in out.iter_mut().zip(chunk.row(r)).zip(bias) {
                *out = E::from_f32(x + b);
            }
        }
    }
}

vectorised! {
    /// `activation(sums + bias)`, rounded, into `out` `[rows, stride]`. What the activation is applied to
    /// goes, rounded, to `saved` (with its stride) where the backward pass needs it.
    pub(crate) fn activate_biased<E: Element>(
        set: InstructionSet,
        chunk: &Chunk,
        rows: usize,
        bias: &[f32],
        activation: Activation,
        saved: Option<(&mut [E], usize)>,
        out: &mut [E],
        stride: usize,
    ) {
        let (bias, mut saved) = (&bias[chunk.within(0, 0)], saved);
        for r in 0..rows {
            if let Some((saved, saved_stride)) = &mut saved {
                let saved = &mut saved[chunk.within(r, *saved_stride)];
                for ((h, x), b) in saved.iter_mut().zip(chunk.row(r)).zip(bias) {
                    *h = E::from_f32(x + b);
                }
            }
            let out = &mut out[chunk.within(r, stride)];
            match activation {
                Activation::QuickGelu => {
                    for ((out, x), b) in out.iter_mut().zip(chunk.row(r)).zip(bias) {
                        *out = E::from_f32(Activation::QuickGelu.value(x + b));
                    }
                }
                Activation::Gelu => {
                    for ((out, x), b) in out.iter_mut().zip(chunk.row(r)).zip(bias) {
                        *out = E::from_f32(Activation::Gelu.value(x + b));
                    }
                }
            }
        }
    }
}

vectorised! {
    /// The backward pass of [`activate_biased`]: `sums` times the activation's derivative at `saved`,
    /// rounded, into `out` `[rows, stride]`.
    pub(crate) fn activate_backward<E: Element>(
        set: InstructionSet,
        chunk: &Chunk,
        rows: usize,
        activation: Activation,
        saved: &[E],
        saved_stride: usize,
        out: &mut [E],
        stride: usize,
    ) {
        for r in 0..rows {
            let saved = &saved[chunk.within(r, saved_stride)];
            let out = &mut out[chunk.within(r, stride)];
            match activation {
                Activation::QuickGelu => {
                    for ((out, x), h) in out.iter_mut().zip(chunk.row(r)).zip(saved) {
                        *out = E::from_f32(x * Activation::QuickGelu.derivative(h.to_f32()));
                    }
                }
                Activation::Gelu => {
                    for ((out, x), h) in out.iter_mut().zip(chunk.row(r)).zip(saved) {
                        *out = E::from_f32(x * Activation::Gelu.derivative(h.to_f32()));
                    }
                }
            }
        }
    }
}

vectorised! {
    /// `sums + bias`, added to `out` `[rows, width]`.
    pub(crate) fn add_biased(
        set: InstructionSet,
        chunk: &Chunk,
        rows: usize,
        bias: &[f32],
        out: &mut [f32],
        width: usize,
    ) {
        let bias = &bias[chunk.within(0, 0)];
        for r in 0..rows {
            let out = &mut out[chunk.within(r, width)];
            for ((out, x), b) in out.iter_mut().zip(chunk.row(r)).zip(bias) {
                *out += x + b;
            }
        }
    }
}

vectorised! {
    /// `sums`, copied or added to `out` `[rows, width]`.
    pub(crate) fn store_sums(
        set: InstructionSet,
        chunk: &Chunk,
        rows: usize,
        accumulate: bool,
        out: &mut [f32],
        width: usize,
    ) {
        for r in 0..rows {
            let out = &mut out[chunk.within(r, width)];
            if accumulate {
                for (out, x) in out.iter_mut().zip(chunk.row(r)) {
                    *out += x;
                }
            } else {
                out.copy_from_slice(chunk.row(r));
            }
        }
    }
}
