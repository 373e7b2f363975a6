//! The innermost loops on AVX2.
//!
//! A tile of 6 x 16 sums fills 12 of the 16 vector registers. A processor without AVX-512 has
//! smaller caches too, so the summed axis is cut: a block of a panel's half stays in the first-level
//! cache while all tiles of rows pass it, and the sums wait in the result.

use std::arch::x86_64::*;

use crate::tile::{Left, Order, PANEL, heights};

/// Most rows of a tile.
const ROWS: usize = 6;

/// Columns of a tile: half a panel.
const COLUMNS: usize = 16;

/// Steps of the summed axis at a time: 16 KiB of a panel's half.
const BLOCK: usize = 256;

/// `(steps, left, stride of left, half of a panel, out, stride of out, whether to add to out)`
///
/// # Safety
/// The processor has the instructions, and the operands are as long as `microkernel::panel` checks.
type Kernel = unsafe fn(usize, *const f32, usize, *const f32, *mut f32, usize, bool);

static ROW_MAJOR: [Kernel; ROWS] = [
    tile::<1, false>,
    tile::<2, false>,
    tile::<3, false>,
    tile::<4, false>,
    tile::<5, false>,
    tile::<6, false>,
];

static COLUMN_MAJOR: [Kernel; ROWS] = [
    tile::<1, true>,
    tile::<2, true>,
    tile::<3, true>,
    tile::<4, true>,
    tile::<5, true>,
    tile::<6, true>,
];

/// See `microkernel::panel`.
///
/// # Safety
/// The processor has AVX2 and FMA, and the operands are as long as `microkernel::panel` checks.
pub(crate) unsafe fn panel(
    rows: usize,
    steps: usize,
    left: Left<f32>,
    panel: &[f32],
    out: &mut [f32],
    out_stride: usize,
) {
    let (kernels, row, step) = match left.order {
        Order::RowMajor => (&ROW_MAJOR, left.stride, 1),
        Order::ColumnMajor => (&COLUMN_MAJOR, 1, left.stride),
    };
    let (values, panel, out) = (left.values.as_ptr(), panel.as_ptr(), out.as_mut_ptr());
    // Without steps the sums are still to be set.
    for first in (0..steps.max(1)).step_by(BLOCK) {
        let steps = BLOCK.min(steps - first);
        for column in (0..PANEL).step_by(COLUMNS) {
            for range in heights(rows, ROWS) {
                // SAFETY: rows, steps and columns are within the operands.
                unsafe {
                    kernels[range.len() - 1](
                        steps,
                        values.add(range.start * row + first * step),
                        left.stride,
                        panel.add(first * PANEL + column),
                        out.add(range.start * out_stride + column),
                        out_stride,
                        first > 0,
                    );
                }
            }
        }
    }
}

/// # Safety
/// See [`Kernel`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const ROWS: usize, const COLUMN_MAJOR: bool>(
    steps: usize,
    left: *const f32,
    stride: usize,
    panel: *const f32,
    out: *mut f32,
    out_stride: usize,
    add: bool,
) {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    if add {
        for (r, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the result has 16 numbers a row.
            unsafe {
                sum[0] = _mm256_loadu_ps(out.add(r * out_stride));
                sum[1] = _mm256_loadu_ps(out.add(r * out_stride + 8));
            }
        }
    }
    for p in 0..steps {
        // SAFETY: the panel has 32 numbers a step, of which these are half.
        let (b0, b1) = unsafe {
            (
                _mm256_loadu_ps(panel.add(p * PANEL)),
                _mm256_loadu_ps(panel.add(p * PANEL + 8)),
            )
        };
        for (r, sum) in sums.iter_mut().enumerate() {
            let at = if COLUMN_MAJOR {
                p * stride + r
            } else {
                r * stride + p
            };
            // SAFETY: the left operand has every row and step.
            let a = _mm256_set1_ps(unsafe { *left.add(at) });
            sum[0] = _mm256_fmadd_ps(a, b0, sum[0]);
            sum[1] = _mm256_fmadd_ps(a, b1, sum[1]);
        }
    }
    for (r, sum) in sums.iter().enumerate() {
        // SAFETY: the result has 16 numbers a row.
        unsafe {
            _mm256_storeu_ps(out.add(r * out_stride), sum[0]);
            _mm256_storeu_ps(out.add(r * out_stride + 8), sum[1]);
        }
    }
}
