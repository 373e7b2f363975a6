//! The innermost loops on AVX2.
//!
//! A tile of 6 x 16 sums fills 12 of the 16 vector registers. A processor without AVX-512 has
//! smaller caches too, so the summed axis is cut: a block of a panel stays in the first-level
//! cache while all tiles of rows pass it, and the sums wait in the result.

use std::arch::x86_64::*;

use crate::buffer::Buffer;
use crate::packed::{Packed, Panels};
use crate::tile::{Left, Order, heights};

/// Most rows of a tile.
const ROWS: usize = 6;

/// Columns of a tile, and of a panel.
const COLUMNS: usize = 16;

/// Steps of the summed axis at a time: 16 KiB of a panel.
const BLOCK: usize = 256;

/// `(steps, left, stride of left, panel, out, stride of out, whether to add to out)`
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
    let (row, step) = left.strides();
    let kernels = match left.order {
        Order::RowMajor => &ROW_MAJOR,
        Order::ColumnMajor => &COLUMN_MAJOR,
    };
    // Without steps the sums are still to be set.
    for first in (0..steps.max(1)).step_by(BLOCK) {
        let steps = BLOCK.min(steps - first);
        for range in heights(rows, ROWS) {
            // SAFETY: rows, steps and columns are within the operands.
            unsafe {
                kernels[range.len() - 1](
                    steps,
                    left.values.as_ptr().add(range.start * row + first * step),
                    left.stride,
                    panel.as_ptr().add(first * COLUMNS),
                    out.as_mut_ptr().add(range.start * out_stride),
                    out_stride,
                    first > 0,
                );
            }
        }
    }
}

/// Rows `[rows, steps]`, row `r` at `r * stride`, in the order in which [`arranged_panels`] reads them: a
/// block of steps after the other, in it a tile's rows after the other's, `[steps][rows of the tile]`.
///
/// # Safety
/// The processor has AVX2 and FMA.
///
/// # Panics
/// If there are fewer numbers.
#[target_feature(enable = "avx2,fma")]
pub(crate) unsafe fn arrange(
    rows: usize,
    steps: usize,
    left: &[f32],
    stride: usize,
) -> Buffer<f32> {
    assert!(rows == 0 || left.len() >= (rows - 1) * stride + steps);
    // Eight numbers are written for each step of a tile. What is too much is overwritten by the next one.
    let mut arranged = Buffer::<f32>::unspecified(rows * steps + 8);
    for first in (0..steps).step_by(BLOCK) {
        let block = BLOCK.min(steps - first);
        for range in heights(rows, ROWS) {
            let height = range.len();
            let from = &left[range.start * stride + first..];
            let to = &mut arranged[rows * first + range.start * block..];
            let eights = block / 8 * 8;
            for step in (0..eights).step_by(8) {
                // A tile of fewer than eight rows gives its last one for those that it lacks.
                let row = |r: usize| &from[r.min(height - 1) * stride + step..][..8];
                // SAFETY: the rows are eight numbers long.
                let columns = transposed(|r| unsafe { _mm256_loadu_ps(row(r).as_ptr()) });
                for (c, column) in columns.into_iter().enumerate() {
                    let to = &mut to[(step + c) * height..][..8];
                    // SAFETY: there is room for eight numbers.
                    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), column) };
                }
            }
            for step in eights..block {
                for r in 0..height {
                    to[step * height + r] = from[r * stride + step];
                }
            }
        }
    }
    arranged
}

/// See `Microkernel::arranged_panels`.
///
/// # Safety
/// The processor has AVX2 and FMA, and the operands are as long as is checked there.
pub(crate) unsafe fn arranged_panels(
    rows: usize,
    steps: usize,
    left: &[f32],
    count: usize,
    right: Panels<f32>,
    out: &mut [f32],
    out_stride: usize,
) {
    let tiles = rows.div_ceil(ROWS);
    let mut transposed = [0.0; BLOCK * COLUMNS];
    for first in (0..steps.max(1)).step_by(BLOCK) {
        let block = BLOCK.min(steps - first);
        for j in 0..count {
            // What is read next: the block of the next panel, the next block of the first one, or that of
            // the panel after these.
            let (next, next_first) = if j + 1 < count {
                (j + 1, first)
            } else if first + BLOCK < steps {
                (0, first + BLOCK)
            } else {
                (count, 0)
            };
            // So many of its cache lines are fetched beside each tile.
            let lines = BLOCK.min(steps - next_first);
            let fetched = lines.div_ceil(tiles);
            let panel = match right {
                Panels::Packed(panels) => panels[(j * steps + first) * COLUMNS..].as_ptr(),
                Panels::Transposed { of, first_column } => {
                    let panel = &mut transposed[..block * COLUMNS];
                    // SAFETY: the processor has AVX2.
                    unsafe { transpose(of, first, first_column + j * COLUMNS, panel) };
                    panel.as_ptr()
                }
            };
            for (t, range) in heights(rows, ROWS).enumerate() {
                for line in t * fetched..((t + 1) * fetched).min(lines) {
                    let at = match right {
                        Panels::Packed(panels) => {
                            let line = next * steps + next_first + line;
                            panels.as_ptr().wrapping_add(line * COLUMNS)
                        }
                        Panels::Transposed { of, first_column } => {
                            let panel = of.panels_from(next_first + line).as_ptr();
                            let line = first_column + next * COLUMNS + line % COLUMNS;
                            panel.wrapping_add(line * COLUMNS)
                        }
                    };
                    // SAFETY: fetching has no effect but on the caches, whatever the address.
                    unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
                }
                let height = range.len();
                // SAFETY: rows, steps and columns are within the operands.
                unsafe {
                    COLUMN_MAJOR[height - 1](
                        block,
                        left.as_ptr().add(rows * first + range.start * block),
                        height,
                        panel,
                        out.as_mut_ptr().add(range.start * out_stride + j * COLUMNS),
                        out_stride,
                        first > 0,
                    );
                }
            }
        }
    }
}

/// The panel of the transpose of `of` that begins at column `column` (row `column` of `of`), steps from
/// `first` on (columns of `of`): as many as `panel` has room for. Columns beyond the last are zeros.
///
/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose(of: &Packed<f32>, first: usize, column: usize, panel: &mut [f32]) {
    let filled = COLUMNS.min(of.steps - column);
    for (square, rows) in panel.chunks_mut(COLUMNS * COLUMNS).enumerate() {
        // [16 columns of the transpose][16 of its steps]
        let from = &of.panels_from(first + square * COLUMNS)[column * COLUMNS..];
        if filled == COLUMNS && rows.len() == COLUMNS * COLUMNS {
            let from = &from[..COLUMNS * COLUMNS];
            for (row, column) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
                let from = from[row * COLUMNS + column..].as_ptr();
                let to = rows[column * COLUMNS + row..].as_mut_ptr();
                // SAFETY: both are 16 x 16 numbers, of which these are 8 x 8.
                unsafe {
                    let columns = transposed(|r| _mm256_loadu_ps(from.add(r * COLUMNS)));
                    for (c, column) in columns.into_iter().enumerate() {
                        _mm256_storeu_ps(to.add(c * COLUMNS), column);
                    }
                }
            }
        } else {
            for (step, row) in rows.chunks_exact_mut(COLUMNS).enumerate() {
                for (c, value) in row.iter_mut().enumerate() {
                    *value = if c < filled {
                        from[c * COLUMNS + step]
                    } else {
                        0.0
                    };
                }
            }
        }
    }
}

/// The columns of 8 x 8 numbers, of which `row` gives the rows.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn transposed(row: impl Fn(usize) -> __m256) -> [__m256; 8] {
    let x: [__m256; 8] = std::array::from_fn(row);
    // Pairs of rows, then of pairs: columns 0 and 4, 1 and 5, ... of four rows.
    let low = |i: usize| _mm256_unpacklo_ps(x[i], x[i + 1]);
    let high = |i: usize| _mm256_unpackhi_ps(x[i], x[i + 1]);
    let quarter = |i: usize| {
        let (l0, l1, h0, h1) = (low(i), low(i + 2), high(i), high(i + 2));
        [
            _mm256_shuffle_ps::<0x44>(l0, l1),
            _mm256_shuffle_ps::<0xee>(l0, l1),
            _mm256_shuffle_ps::<0x44>(h0, h1),
            _mm256_shuffle_ps::<0xee>(h0, h1),
        ]
    };
    let (above, below) = (quarter(0), quarter(4));
    std::array::from_fn(|c| {
        let (a, b) = (above[c % 4], below[c % 4]);
        if c < 4 {
            _mm256_permute2f128_ps::<0x20>(a, b)
        } else {
            _mm256_permute2f128_ps::<0x31>(a, b)
        }
    })
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
        // SAFETY: the panel has 16 numbers a step.
        let (b0, b1) = unsafe {
            (
                _mm256_loadu_ps(panel.add(p * COLUMNS)),
                _mm256_loadu_ps(panel.add(p * COLUMNS + 8)),
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
