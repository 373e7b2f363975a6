//! Conversion between `f32` and the number format of a product's operands.
//!
//! Each function is compiled several times, for the widest vectors that the processor may have; the
//! arithmetic is the same in all versions.

use multiversion::multiversion;

use crate::element::Element;

/// Rows `x` `[rows, width]`, rounded, into rows of `stride` whose padding becomes zero.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn round_rows<E: Element>(x: &[f32], width: usize, out: &mut [E], stride: usize) {
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(stride)) {
        let (values, padding) = out.split_at_mut(width);
        for (out, x) in values.iter_mut().zip(x) {
            *out = E::from_f32(*x);
        }
        padding.fill(E::default());
    }
}

/// `values * factor`, rounded, as many as `out` and `values` both have.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn narrow<E: Element>(values: &[f32], factor: f32, out: &mut [E]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = E::from_f32(value * factor);
    }
}

/// `values * factor` as `f32`, as many as `out` and `values` both have; with a factor of 1 exact.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn widen<E: Element>(values: &[E], factor: f32, out: &mut [f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = value.to_f32() * factor;
    }
}
