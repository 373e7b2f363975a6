//! The innermost loops in a form that the compiler vectorises, for processors that this crate has no
//! microkernel for.

use crate::tile::{Left, heights};

/// Columns of a tile, and of a panel.
const COLUMNS: usize = 16;

/// Most rows of a tile: with the 32 vector registers of NEON its sums fill 24, with the 16 of SSE2 8.
const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };

/// Steps of the summed axis at a time, as on AVX2.
const BLOCK: usize = 256;

/// See `microkernel::panel`.
pub(crate) fn panel(
    rows: usize,
    steps: usize,
    left: Left<f32>,
    panel: &[f32],
    out: &mut [f32],
    out_stride: usize,
) {
    for r in 0..rows {
        out[r * out_stride..][..COLUMNS].fill(0.0);
    }
    let (row, step) = left.strides();
    for first in (0..steps).step_by(BLOCK) {
        let block = &panel[first * COLUMNS..(first + BLOCK).min(steps) * COLUMNS];
        for range in heights(rows, ROWS) {
            let left = &left.values[range.start * row + first * step..];
            let out = &mut out[range.start * out_stride..];
            match range.len() {
                1 => tile::<1>(left, row, step, block, out, out_stride),
                2 => tile::<2>(left, row, step, block, out, out_stride),
                3 => tile::<3>(left, row, step, block, out, out_stride),
                4 => tile::<4>(left, row, step, block, out, out_stride),
                5 => tile::<5>(left, row, step, block, out, out_stride),
                _ => tile::<6>(left, row, step, block, out, out_stride),
            }
        }
    }
}

/// Adds `ROWS` rows times a block of a panel to `out`.
fn tile<const ROWS: usize>(
    left: &[f32],
    row: usize,
    step: usize,
    panel: &[f32],
    out: &mut [f32],
    out_stride: usize,
) {
    let mut sums = [[0.0f32; COLUMNS]; ROWS];
    for (r, sums) in sums.iter_mut().enumerate() {
        sums.copy_from_slice(&out[r * out_stride..][..COLUMNS]);
    }
    for (p, b) in panel.as_chunks::<COLUMNS>().0.iter().enumerate() {
        for (r, sums) in sums.iter_mut().enumerate() {
            let a = left[r * row + p * step];
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = multiply_add(a, *b, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        out[r * out_stride..][..COLUMNS].copy_from_slice(sums);
    }
}

/// `a * b + c`, in one rounding where the processor surely has an instruction for it.
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}
