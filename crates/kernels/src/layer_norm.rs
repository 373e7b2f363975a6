//! Layer normalisation without its affine part, forward and backward.
//!
//! Each function is compiled for each instruction set ([`vectorised`]); the arithmetic is the same in
//! all versions.

use crate::element::Element;
use crate::row_sum::sum_of;
use crate::vectorised::vectorised;

vectorised! {
    /// `(x - mean) / std` of each row of `x` `[rows, width]`, into rows of `stride` whose padding becomes
    /// zero; and `1 / std`, `[rows]`.
    pub(crate) fn normalise<E: Element>(
        set: InstructionSet,
        x: &[f32],
        width: usize,
        epsilon: f32,
        out: &mut [E],
        stride: usize,
        inverse_std: &mut [f32],
    ) {
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(stride));
        for ((x, out), inverse) in rows.zip(inverse_std) {
            let mean = sum_of(width, |i| x[i]) / width as f32;
            let variance = sum_of(width, |i| (x[i] - mean) * (x[i] - mean)) / width as f32;
            let scale = 1.0 / (variance + epsilon).sqrt();
            let (values, padding) = out.split_at_mut(width);
            for (out, x) in values.iter_mut().zip(x) {
                *out = E::from_f32((x - mean) * scale);
            }
            padding.fill(E::default());
            *inverse = scale;
        }
    }
}

vectorised! {
    /// The backward pass of [`normalise`]: from the gradient of its result, `[rows, width]`, the result
    /// and `1 / std` to the gradient of `x`, added to `out` `[rows, width]` (the gradient that reaches `x`
    /// through the residual connection).
    pub(crate) fn normalise_backward<E: Element>(
        set: InstructionSet,
        gradient: &[f32],
        width: usize,
        normalised: &[E],
        stride: usize,
        inverse_std: &[f32],
        out: &mut [f32],
    ) {
        let rows = gradient
            .chunks_exact(width)
            .zip(normalised.chunks_exact(stride));
        for (((g, n), scale), out) in rows.zip(inverse_std).zip(out.chunks_exact_mut(width)) {
            let n = &n[..width];
            let mean = sum_of(width, |i| g[i]) / width as f32;
            let along = sum_of(width, |i| g[i] * n[i].to_f32()) / width as f32;
            for ((out, g), n) in out.iter_mut().zip(g).zip(n) {
                *out += scale * (g - mean - n.to_f32() * along);
            }
        }
    }
}
