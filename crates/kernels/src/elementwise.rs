//! What happens to rows between the products: layer normalisation, bias, activation, residual.
//!
//! Each function exists in several versions, for the widest vectors that the processor has; the
//! arithmetic is the same in all of them.

use multiversion::multiversion;

use crate::activation::{Activation, exp};
use crate::element::Element;
use crate::product::Chunk;

/// Partial sums that a sum over a row is made of, so that it can run in vectors.
const LANES: usize = 16;

#[inline(always)]
fn sum_of(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for (l, lane) in lanes.iter_mut().enumerate() {
            *lane += term(i + l);
        }
    }
    for i in whole..n {
        lanes[i - whole] += term(i);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Rows `x` `[rows, width]` less their mean over their deviation, into rows of `stride` whose rest is
/// zero; and one over each deviation.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn normalise<E: Element>(
    x: &[f32],
    width: usize,
    epsilon: f32,
    out: &mut [E],
    stride: usize,
    inverse_deviation: &mut [f32],
) {
    let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(stride));
    for ((x, out), inverse) in rows.zip(inverse_deviation) {
        let mean = sum_of(width, |i| x[i]) / width as f32;
        let variance = sum_of(width, |i| (x[i] - mean) * (x[i] - mean)) / width as f32;
        let scale = 1.0 / (variance + epsilon).sqrt();
        let (kept, rest) = out.split_at_mut(width);
        for (out, x) in kept.iter_mut().zip(x) {
            *out = E::from_f32((x - mean) * scale);
        }
        rest.fill(E::default());
        *inverse = scale;
    }
}

/// The way back through [`normalise`]: from the gradient of its result `[rows, width]`, its result
/// and its scales to the gradient of `x`, on top of `out` (the gradient on the way around it).
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn normalise_backward<E: Element>(
    gradient: &[f32],
    width: usize,
    normalised: &[E],
    stride: usize,
    inverse_deviation: &[f32],
    out: &mut [f32],
) {
    let rows = gradient
        .chunks_exact(width)
        .zip(normalised.chunks_exact(stride));
    for (((g, n), scale), out) in rows.zip(inverse_deviation).zip(out.chunks_exact_mut(width)) {
        let n = &n[..width];
        let mean = sum_of(width, |i| g[i]) / width as f32;
        let along = sum_of(width, |i| g[i] * n[i].to_f32()) / width as f32;
        for ((out, g), n) in out.iter_mut().zip(g).zip(n) {
            *out += scale * (g - mean - n.to_f32() * along);
        }
    }
}

/// Rounded, into rows of `stride` whose rest is zero.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn round_rows<E: Element>(x: &[f32], width: usize, out: &mut [E], stride: usize) {
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(stride)) {
        let (kept, rest) = out.split_at_mut(width);
        for (out, x) in kept.iter_mut().zip(x) {
            *out = E::from_f32(*x);
        }
        rest.fill(E::default());
    }
}

impl Chunk<'_> {
    #[inline(always)]
    fn row(&self, r: usize) -> &[f32] {
        &self.values[r * self.stride..r * self.stride + self.columns]
    }

    #[inline(always)]
    fn within(&self, r: usize, stride: usize) -> std::ops::Range<usize> {
        r * stride + self.first_column..r * stride + self.first_column + self.columns
    }
}

/// Sums and bias, rounded.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn store<E: Element>(
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

/// Activation of sums and bias, rounded; what it was applied to goes to `hidden` (with its stride), if
/// that is kept.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn activate<E: Element>(
    chunk: &Chunk,
    rows: usize,
    bias: &[f32],
    activation: Activation,
    mut hidden: Option<(&mut [E], usize)>,
    out: &mut [E],
    stride: usize,
) {
    let bias = &bias[chunk.within(0, 0)];
    for r in 0..rows {
        if let Some((hidden, hidden_stride)) = &mut hidden {
            let hidden = &mut hidden[chunk.within(r, *hidden_stride)];
            for ((h, x), b) in hidden.iter_mut().zip(chunk.row(r)).zip(bias) {
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

/// The way back through [`activate`]: sums times the activation's slope at `hidden`, rounded.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn activate_backward<E: Element>(
    chunk: &Chunk,
    rows: usize,
    activation: Activation,
    hidden: &[E],
    hidden_stride: usize,
    out: &mut [E],
    stride: usize,
) {
    for r in 0..rows {
        let hidden = &hidden[chunk.within(r, hidden_stride)];
        let out = &mut out[chunk.within(r, stride)];
        match activation {
            Activation::QuickGelu => {
                for ((out, x), h) in out.iter_mut().zip(chunk.row(r)).zip(hidden) {
                    *out = E::from_f32(x * Activation::QuickGelu.slope(h.to_f32()));
                }
            }
            Activation::Gelu => {
                for ((out, x), h) in out.iter_mut().zip(chunk.row(r)).zip(hidden) {
                    *out = E::from_f32(x * Activation::Gelu.slope(h.to_f32()));
                }
            }
        }
    }
}

/// Sums and bias on top of what is there, `[rows, width]`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn add(chunk: &Chunk, rows: usize, bias: &[f32], out: &mut [f32], width: usize) {
    let bias = &bias[chunk.within(0, 0)];
    for r in 0..rows {
        let out = &mut out[chunk.within(r, width)];
        for ((out, x), b) in out.iter_mut().zip(chunk.row(r)).zip(bias) {
            *out += x + b;
        }
    }
}

/// Sums instead of what is there (or on top of it), `[rows, width]`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn put(chunk: &Chunk, rows: usize, on_top: bool, out: &mut [f32], width: usize) {
    for r in 0..rows {
        let out = &mut out[chunk.within(r, width)];
        if on_top {
            for (out, x) in out.iter_mut().zip(chunk.row(r)) {
                *out += x;
            }
        } else {
            out.copy_from_slice(chunk.row(r));
        }
    }
}

/// Scores, times a positive `factor`, to weights that are not yet divided by their sum, which is
/// returned; the first `seen` scores take part, the rest become zero.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn exponentials(scores: &mut [f32], seen: usize, factor: f32) -> f32 {
    let (scores, rest) = scores.split_at_mut(seen);
    rest.fill(0.0);
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, left) = scores.as_chunks::<LANES>();
    for part in whole {
        for (lane, x) in lanes.iter_mut().zip(part) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    let top = lanes
        .iter()
        .chain(left)
        .fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    for score in scores.iter_mut() {
        *score = exp((*score - top) * factor);
    }
    sum_of(seen, |i| scores[i])
}

/// Each number times `factor`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn scale(values: &mut [f32], factor: f32) {
    for value in values {
        *value *= factor;
    }
}

/// The way back through a softmax: from weights and their gradients to the scores' gradients times
/// `factor`, in place of the gradients.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn softmax_backward(weights: &[f32], gradients: &mut [f32], factor: f32) {
    let n = gradients.len().min(weights.len());
    let along = sum_of(n, |i| weights[i] * gradients[i]);
    for (g, w) in gradients.iter_mut().zip(weights) {
        *g = *w * (*g - along) * factor;
    }
}

/// Exact copies times `factor`, as `f32`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn widen<E: Element>(values: &[E], factor: f32, out: &mut [f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = value.to_f32() * factor;
    }
}

/// Rounded, times `factor`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn narrow<E: Element>(values: &[f32], factor: f32, out: &mut [E]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = E::from_f32(value * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_take_every_term_once() {
        for n in [0, 1, 15, 16, 17, 64, 100] {
            let expected: usize = (0..n).sum();
            assert_eq!(sum_of(n, |i| i as f32), expected as f32);
        }
    }

    #[test]
    fn weights_of_what_is_not_seen_are_zero() {
        let mut scores: Vec<f32> = (0..37).map(|i| (i as f32 * 1.7).sin() * 5.0).collect();
        let exact: Vec<f64> = scores.iter().map(|s| (0.5 * f64::from(*s)).exp()).collect();
        let total: f64 = exact[..33].iter().sum();
        let sum = exponentials(&mut scores, 33, 0.5);
        for (i, (score, exact)) in scores.iter().zip(&exact).enumerate() {
            let expected = if i < 33 { exact / total } else { 0.0 };
            assert!((f64::from(score / sum) - expected).abs() < 1e-6, "{i}");
        }
    }
}
