//! The largest eigenvalue of the Gram matrix of rows, by repeated squaring.

use crate::product::{columns_by_columns, rows_by_columns, rows_by_rows};

/// Largest eigenvalue of `F'F` for `F [rows, dim]`, not all zero.
///
/// Squaring `G` again and again, each time divided by its trace, leaves the eigenvectors of the largest eigenvalue, with
/// weights `(lambda_i / lambda_max)^(2^j)` for the others: the mean of the eigenvalues with these weights is
/// below the largest by less than `n / 2^j` of it, however near the next one is. Computed in f64.
pub(crate) fn largest_eigenvalue_of_gram(features: &[f32], dim: usize) -> f64 {
    let rows = features.len() / dim;
    let wide: Vec<f64> = features.iter().map(|v| f64::from(*v)).collect();
    // F'F and FF' share their eigenvalues above zero; the smaller is cheaper.
    let (gram, n) = if rows < dim {
        (rows_by_rows(&wide, &wide, dim), rows)
    } else {
        (columns_by_columns(&wide, &wide, rows), dim)
    };
    let mut power = divided_by_trace(gram.clone(), n);
    let mut found = weighted_mean(&power, &gram);
    for _ in 0..SQUARINGS {
        power = divided_by_trace(rows_by_columns(&power, &power, n), n);
        let next = weighted_mean(&power, &gram);
        let settled = (next - found).abs() <= f64::EPSILON * next;
        found = next;
        if settled {
            break;
        }
    }
    found
}

/// Enough for `n / 2^j` to be below the rounding of f32 for any width.
const SQUARINGS: usize = 48;

fn divided_by_trace(mut matrix: Vec<f64>, n: usize) -> Vec<f64> {
    let trace: f64 = matrix.iter().step_by(n + 1).sum();
    matrix.iter_mut().for_each(|v| *v /= trace);
    matrix
}

/// Trace of the product of two symmetric matrices, the first of trace 1.
fn weighted_mean(power: &[f64], gram: &[f64]) -> f64 {
    power.iter().zip(gram).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_eigenvalue_is_found_also_where_the_next_is_near_or_equal() {
        for (second, third) in [(1.0, 0.5), (2.999, 1.0), (2.999_999_9, 2.9), (3.0, 3.0)] {
            // Rows along the axes: eigenvalues are the squares of their lengths.
            let rows: Vec<f32> = [[3.0_f64, 0.0, 0.0], [0.0, second, 0.0], [0.0, 0.0, third]]
                .iter()
                .flatten()
                .map(|v| v.sqrt() as f32)
                .collect();
            let found = largest_eigenvalue_of_gram(&rows, 3);
            assert!((found / 3.0 - 1.0).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn both_gram_matrices_give_the_same_value() {
        // sigma^2 of [[1, 2, 3], [4, 5, 6]]: (91 + sqrt(91^2 - 4 * 54)) / 2.
        let expected = (91.0 + (91.0_f64 * 91.0 - 216.0).sqrt()) / 2.0;
        let wide = largest_eigenvalue_of_gram(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
        let tall = largest_eigenvalue_of_gram(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0], 2);
        assert!((wide / expected - 1.0).abs() < 1e-12, "{wide}");
        assert!((tall / expected - 1.0).abs() < 1e-12, "{tall}");
    }
}
