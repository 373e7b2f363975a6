//! Rows times a packed matrix, handed over one chunk of columns at a time.

use crate::buffer::Buffer;
use crate::cpu::CpuFeatures;
use crate::gemm_fallback::Columns;
use crate::microkernel::{Microkernel, tile};
use crate::packed::{Packed, PackedOrder};
use crate::tile::{Left, Order, PANEL, TILE};

/// Columns that are computed before they are handed over: few, so that their sums stay in the
/// first-level caches.
const CHUNK: usize = 2 * PANEL;

/// The same where the `gemm` crate computes them, which needs more at a time to be fast.
const FALLBACK_CHUNK: usize = 512;

/// Sums of some columns of a product, `[rows, columns]`.
pub(crate) struct Chunk<'a> {
    pub first_column: usize,
    pub columns: usize,
    /// Row `r` begins at `r * stride`.
    pub values: &'a [f32],
    pub stride: usize,
}

/// Stride of rows that become the left operand of a product: whole groups of numbers, and not a
/// multiple of a page, which would make the rows of a tile compete for the same cache sets.
pub(crate) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(32) + 32
}

/// `left` `[rows, right.steps]` (row `r` at `r * stride`) times `right`; each chunk of columns goes to
/// `sink`, from left to right. Without rows there are no chunks. For `bf16` with an odd number of
/// steps, one number beyond each row is read and multiplied by zero.
pub(crate) fn product<E: Microkernel>(
    cpu: CpuFeatures,
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
        PackedOrder::RowMajor => FALLBACK_CHUNK,
    };
    let mut sums = Buffer::<f32>::unspecified(rows * chunk);
    for first_column in (0..right.columns).step_by(chunk) {
        let columns = chunk.min(right.columns - first_column);
        match right.order {
            PackedOrder::Panels => {
                for panel in 0..columns.div_ceil(PANEL) {
                    one_panel(
                        cpu,
                        rows,
                        Left {
                            values: left,
                            stride,
                            order: Order::RowMajor,
                        },
                        right.padded_steps(),
                        right.panel(first_column / PANEL + panel),
                        &mut sums[panel * PANEL..],
                        chunk,
                    );
                }
            }
            PackedOrder::RowMajor => {
                let columns = Columns {
                    values: &right.values,
                    steps: right.steps,
                    width: right.columns,
                    range: first_column..first_column + columns,
                };
                E::multiply_row_major(rows, left, stride, &columns, &mut sums, chunk);
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

/// Any number of rows times one panel: `left` `[rows, steps]`, `panel` `[steps, 32]`, `out`
/// `[rows, 32]` with row `r` at `r * out_stride`.
pub(crate) fn one_panel<E: Microkernel>(
    cpu: CpuFeatures,
    rows: usize,
    left: Left<E>,
    steps: usize,
    panel: &[E],
    out: &mut [f32],
    out_stride: usize,
) {
    // Tiles of nearly equal height: a small last one has too few independent sums to hide the
    // latency of each.
    let tiles = rows.div_ceil(TILE);
    for t in 0..tiles {
        let (from, to) = (rows * t / tiles, rows * (t + 1) / tiles);
        let start = match left.order {
            Order::RowMajor => from * left.stride,
            Order::ColumnMajor => from,
        };
        let left = Left {
            values: &left.values[start..],
            ..left
        };
        let out = &mut out[from * out_stride..];
        tile(cpu, to - from, steps, left, panel, out, out_stride);
    }
}
