//! How the rows of a call are divided among threads, and how output rows are selected.

use std::ops::Range;

use crate::buffer::Pooled;
use crate::layout::Layout;
use crate::tile::TILE;

/// Disjoint ranges of rows for the threads, of at most about `most` rows: long enough that reading
/// the weights costs little beside the arithmetic, and short enough that the rows stay in the
/// second-level cache. No row's numbers depend on its range.
pub(crate) fn row_ranges(rows: usize, most: usize) -> Vec<Range<usize>> {
    let threads = rayon::current_num_threads().max(1);
    let n = rows
        .div_ceil(most)
        .next_multiple_of(threads)
        .min(rows.div_ceil(6))
        .max(1);
    // Whole tiles, where a thread has several: a lower one takes nearly as long as a full one.
    let unit = if rows / n >= 4 * TILE { TILE } else { 1 };
    let bound = |i: usize| {
        if i == n {
            rows
        } else {
            rows * i / n / unit * unit
        }
    };
    (0..n).map(|i| bound(i)..bound(i + 1)).collect()
}

/// Copies the output rows in `range` (among all output rows) from `x` `[rows, width]` to `out`
/// `[range, width]`.
pub(crate) fn select_outputs<T: Pooled>(
    x: &[T],
    width: usize,
    range: Range<usize>,
    layout: &Layout,
    out: &mut [T],
) {
    match layout.output_rows() {
        None => out.copy_from_slice(&x[range.start * width..range.end * width]),
        Some(list) => {
            for (row, out) in list[range].iter().zip(out.chunks_exact_mut(width)) {
                out.copy_from_slice(&x[row * width..(row + 1) * width]);
            }
        }
    }
}
