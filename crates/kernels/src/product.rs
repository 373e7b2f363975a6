//! A block of rows times a packed matrix, handed over column chunk by column chunk.

use half::bf16;

use crate::machine::Machine;
use crate::microkernel::{Left, Order, PANEL, TILE, Tiled, tile};
use crate::packed::{Packed, PackedOrder};
use crate::scratch::Buffer;

/// Columns that are computed before they are handed over: their sums stay in the first caches.
const CHUNK: usize = 2 * PANEL;

/// The same where `gemm` computes them, which wants more at once.
const PLAIN_CHUNK: usize = 512;

/// Sums of some columns of a product, `[rows, columns]`.
pub(crate) struct Chunk<'a> {
    pub first_column: usize,
    pub columns: usize,
    /// Row `r` begins at `r * stride`.
    pub values: &'a [f32],
    pub stride: usize,
}

/// Stride of rows that are to be the left operand of a product: whole groups of numbers, and not a
/// multiple of a page, which would make the rows of a tile fight for the same places in the cache.
pub(crate) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(32) + 32
}

/// `left` `[rows, right.steps]` (row `r` at `r * stride`) times `right`; each chunk of columns goes to
/// `sink`, from left to right; without rows there is none. For `bf16` with an odd number of steps one number beyond each row is
/// read and multiplied by zero.
pub(crate) fn product<E: Tiled>(
    machine: Machine,
    rows: usize,
    left: &[E],
    stride: usize,
    right: &Packed<E>,
    mut sink: impl FnMut(Chunk),
) {
    if rows == 0 {
        return;
    }
    let chunk = match right.order {
        PackedOrder::Panels => CHUNK,
        PackedOrder::Plain => PLAIN_CHUNK,
    };
    let mut sums = Buffer::<f32>::any(rows * chunk);
    for first_column in (0..right.columns).step_by(chunk) {
        let columns = chunk.min(right.columns - first_column);
        match right.order {
            PackedOrder::Panels => {
                for panel in 0..columns.div_ceil(PANEL) {
                    one_panel(
                        machine,
                        rows,
                        Left {
                            values: left,
                            stride,
                            order: Order::Rows,
                        },
                        right.padded_steps(),
                        right.panel(first_column / PANEL + panel),
                        &mut sums[panel * PANEL..],
                        chunk,
                    );
                }
            }
            PackedOrder::Plain => {
                let columns = first_column..first_column + columns;
                E::plain(rows, left, stride, right, columns, &mut sums);
            }
        }
        sink(Chunk {
            first_column,
            columns,
            values: &sums,
            stride: chunk,
        });
    }
}

/// Any number of rows times one panel.
pub(crate) fn one_panel<E: Tiled>(
    machine: Machine,
    rows: usize,
    left: Left<E>,
    steps: usize,
    panel: &[E],
    out: &mut [f32],
    out_stride: usize,
) {
    // Tiles of like height: a low one at the end would wait for its own sums.
    let tiles = rows.div_ceil(TILE);
    for t in 0..tiles {
        let (from, to) = (rows * t / tiles, rows * (t + 1) / tiles);
        let start = match left.order {
            Order::Rows => from * left.stride,
            Order::Columns => from,
        };
        let left = Left {
            values: &left.values[start..],
            ..left
        };
        let out = &mut out[from * out_stride..];
        tile(machine, to - from, steps, left, panel, out, out_stride);
    }
}

/// Columns `first_column..first_column + columns` of `left * right` into `out`, row `r` at `r * 512`, by
/// the `gemm` crate.
pub(crate) fn plain(
    rows: usize,
    left: &[f32],
    stride: usize,
    right: &Packed<f32>,
    columns: std::ops::Range<usize>,
    out: &mut [f32],
) {
    let (first_column, columns) = (columns.start, columns.len());
    if rows == 0 || columns == 0 {
        return;
    }
    let steps = right.steps;
    assert!(left.len() >= (rows - 1) * stride + steps);
    assert!(right.values.len() == steps * right.columns);
    assert!(first_column + columns <= right.columns);
    assert!(out.len() >= (rows - 1) * PLAIN_CHUNK + columns);
    // SAFETY: all three operands have every element that these shapes and strides name,
    // checked above, and the result overlaps neither other.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            steps,
            out.as_mut_ptr(),
            1,
            PLAIN_CHUNK as isize,
            false,
            left.as_ptr(),
            1,
            stride as isize,
            right.values.as_ptr().add(first_column),
            1,
            right.columns as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            // The caller has split the rows over the threads.
            gemm::Parallelism::None,
        );
    }
}

/// Products a second of `rows` rows with a matrix `[steps, columns]`, in GFLOP/s: how fast this
/// processor's cores multiply with the microkernel and nothing else around it. Each thread has rows
/// and a matrix of its own; the best of `rounds`.
pub fn ceiling(
    precision: crate::Precision,
    rows: usize,
    steps: usize,
    columns: usize,
    rounds: usize,
) -> f64 {
    fn measured<E: Tiled>(rows: usize, steps: usize, columns: usize, rounds: usize) -> f64 {
        use rayon::prelude::*;

        let machine = Machine::here();
        let threads = rayon::current_num_threads();
        let stride = padded(steps);
        let right = Packed::<E>::new(machine, steps, columns, |p, c| {
            (p * 7 + c) as f32 % 13.0 - 6.0
        });
        let left = vec![E::from_f32(0.5); rows * stride];
        let once = || {
            let start = std::time::Instant::now();
            (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
                product(machine, rows, &left, stride, &right, |chunk| {
                    std::hint::black_box(chunk.values);
                });
            });
            start.elapsed().as_secs_f64()
        };
        let best = (0..rounds.max(1)).map(|_| once()).fold(f64::MAX, f64::min);
        2.0 * (threads * rows * steps * columns) as f64 / best / 1e9
    }
    match precision {
        crate::Precision::F32 => measured::<f32>(rows, steps, columns, rounds),
        crate::Precision::Bf16 => measured::<bf16>(rows, steps, columns, rounds),
    }
}
