//! Matrix products, their rows divided among the threads so that no number depends on how many there are.

use rayon::prelude::*;

/// A number that matrices are made of.
pub(crate) trait Number: Copy + Send + Sync + 'static {
    const ZERO: Self;
    const ONE: Self;
}

impl Number for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
}

impl Number for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
}

/// A matrix as it lies in memory: row-major, or row-major of its transpose.
#[derive(Clone, Copy)]
enum Matrix<'a, T> {
    Plain(&'a [T]),
    Transposed(&'a [T]),
}

/// `left [rows, inner]` times the transpose of `right [columns, inner]`, which gives `[rows, columns]`:
/// the scalar products of all rows of one with all rows of the other.
pub(crate) fn rows_by_rows<T: Number>(left: &[T], right: &[T], inner: usize) -> Vec<T> {
    let (rows, columns) = (left.len() / inner, right.len() / inner);
    product(
        (rows, columns, inner),
        Matrix::Plain(left),
        Matrix::Transposed(right),
    )
}

/// `left [rows, inner]` times `right [inner, columns]`, which gives `[rows, columns]`.
pub(crate) fn rows_by_columns<T: Number>(left: &[T], right: &[T], inner: usize) -> Vec<T> {
    let (rows, columns) = (left.len() / inner, right.len() / inner);
    product(
        (rows, columns, inner),
        Matrix::Plain(left),
        Matrix::Plain(right),
    )
}

/// The transpose of `left [inner, rows]` times `right [inner, columns]`, which gives `[rows, columns]`:
/// the gradient of a matrix from the gradient of its outputs and its inputs.
pub(crate) fn columns_by_columns<T: Number>(left: &[T], right: &[T], inner: usize) -> Vec<T> {
    let (rows, columns) = (left.len() / inner, right.len() / inner);
    product(
        (rows, columns, inner),
        Matrix::Transposed(left),
        Matrix::Plain(right),
    )
}

/// Rows of the result that one task computes; a function of the shape alone.
fn rows_of_a_task(rows: usize) -> usize {
    (rows / 8).clamp(16, 512).next_multiple_of(16)
}

fn product<T: Number>(
    (rows, columns, inner): (usize, usize, usize),
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
) -> Vec<T> {
    let mut out = vec![T::ZERO; rows * columns];
    let step = rows_of_a_task(rows);
    if columns > 0 {
        out.par_chunks_mut(step * columns)
            .enumerate()
            .for_each(|(i, out)| task(i * step, (rows, columns, inner), left, right, out));
    }
    out
}

/// The rows of the product from `first` on that `out` has room for.
fn task<T: Number>(
    first: usize,
    (rows, columns, inner): (usize, usize, usize),
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    out: &mut [T],
) {
    let count = out.len() / columns;
    let (left, left_row, left_inner, offset) = match left {
        Matrix::Plain(values) => (values, inner, 1, first * inner),
        Matrix::Transposed(values) => (values, 1, rows, first),
    };
    let (right, right_inner, right_column) = match right {
        Matrix::Plain(values) => (values, columns, 1),
        Matrix::Transposed(values) => (values, 1, inner),
    };
    assert_eq!(left.len(), rows * inner);
    assert_eq!(right.len(), inner * columns);
    assert_eq!(out.len(), count * columns);
    assert!(first + count <= rows);
    if count == 0 || inner == 0 {
        return;
    }
    // SAFETY: the strides are those of matrices of these shapes, whose slices have exactly as many
    // elements (asserted above), rows `first..first + count` lie within the left one, and the result is
    // borrowed mutably, so it overlaps neither of the others.
    unsafe {
        gemm::gemm(
            count,
            columns,
            inner,
            out.as_mut_ptr(),
            1,
            columns as isize,
            false,
            left.as_ptr().add(offset),
            left_inner as isize,
            left_row as isize,
            right.as_ptr(),
            right_column as isize,
            right_inner as isize,
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            // The rows are divided already.
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use promptsrc_goldens::noise;

    use super::*;

    fn plain(
        rows: usize,
        columns: usize,
        inner: usize,
        at: impl Fn(usize, usize, usize) -> f64,
    ) -> Vec<f64> {
        let mut out = Vec::new();
        for i in 0..rows {
            for j in 0..columns {
                out.push((0..inner).map(|k| at(i, j, k)).sum());
            }
        }
        out
    }

    fn close(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 1e-4, "{a} {b}");
        }
    }

    #[test]
    fn products_equal_the_plain_sums_in_every_layout() {
        for (rows, columns, inner) in [
            (1, 1, 1),
            (3, 5, 7),
            (40, 3, 17),
            (700, 33, 9),
            (130, 1, 64),
        ] {
            let at = |values: &[f32], i: usize| f64::from(values[i]);
            let a = noise(1, rows * inner, 1.0);
            let b = noise(2, columns * inner, 1.0);
            close(
                &rows_by_rows(&a, &b, inner),
                &plain(rows, columns, inner, |i, j, k| {
                    at(&a, i * inner + k) * at(&b, j * inner + k)
                }),
            );
            close(
                &rows_by_columns(&a, &b, inner),
                &plain(rows, columns, inner, |i, j, k| {
                    at(&a, i * inner + k) * at(&b, k * columns + j)
                }),
            );
            close(
                &columns_by_columns(&a, &b, inner),
                &plain(rows, columns, inner, |i, j, k| {
                    at(&a, k * rows + i) * at(&b, k * columns + j)
                }),
            );
        }
    }
}
