//! Conversion between `f32` and the number format of a product's operands.
//!
//! Each function is compiled for each instruction set ([`vectorised`]); the arithmetic is the same in
//! all versions.

use crate::element::Element;
use crate::vectorised::vectorised;

vectorised! {
    /// Rows `x` `[rows, width]`, rounded, into rows of `stride` whose padding becomes zero.
    pub(crate) fn round_rows<E: Element>(
        set: InstructionSet,
        x: &[f32],
        width: usize,
        out: &mut [E],
        stride: usize,
    ) {
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(stride)) {
            let (values, padding) = out.split_at_mut(width);
            for (out, x) in values.iter_mut().zip(x) {
                *out = E::from_f32(*x);
            }
            padding.fill(E::default());
        }
    }
}

vectorised! {
    /// `values * factor`, rounded, as many as `out` and `values` both have.
    pub(crate) fn narrow<E: Element>(
        set: InstructionSet,
        values: &[f32],
        factor: f32,
        out: &mut [E],
    ) {
        for (out, value) in out.iter_mut().zip(values) {
            *out = E::from_f32(value * factor);
        }
    }
}

vectorised! {
    /// `values * factor` as `f32`, as many as `out` and `values` both have; with a factor of 1 exact.
    pub(crate) fn widen<E: Element>(
        set: InstructionSet,
        values: &[E],
        factor: f32,
        out: &mut [f32],
    ) {
        for (out, value) in out.iter_mut().zip(values) {
            *out = value.to_f32() * factor;
        }
    }
}
