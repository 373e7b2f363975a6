//! Products by the `gemm` crate, for processors that this crate has no microkernel for.

use std::ops::Range;

/// Some columns of a row-major matrix `[steps, width]`.
pub(crate) struct Columns<'a, E> {
    /// The whole matrix.
    pub values: &'a [E],
    pub steps: usize,
    pub width: usize,
    pub range: Range<usize>,
}

/// `left` `[rows, steps]` (row `r` at `r * stride`) times the columns, into `out`
/// `[rows, columns]` (row `r` at `r * out_stride`).
///
/// # Panics
/// If an operand is too short.
pub(crate) fn multiply(
    rows: usize,
    left: &[f32],
    stride: usize,
    right: &Columns<f32>,
    out: &mut [f32],
    out_stride: usize,
) {
    let (first_column, columns) = (right.range.start, right.range.len());
    let steps = right.steps;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(left.len() >= (rows - 1) * stride + steps);
    assert!(right.values.len() == steps * right.width);
    assert!(first_column + columns <= right.width);
    assert!(out.len() >= (rows - 1) * out_stride + columns);
    // SAFETY: all three operands have every element that these shapes and strides name,
    // checked above, and the result overlaps neither of the others.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            steps,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            false,
            left.as_ptr(),
            1,
            stride as isize,
            right.values.as_ptr().add(first_column),
            1,
            right.width as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            // The caller has divided the rows among the threads.
            gemm::Parallelism::None,
        );
    }
}
