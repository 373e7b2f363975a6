//! Rows of unit length, and the gradient through them.

use rayon::prelude::*;

/// Length of a row.
pub(crate) fn norm(row: &[f32]) -> f64 {
    row.iter()
        .map(|v| f64::from(*v) * f64::from(*v))
        .sum::<f64>()
        .sqrt()
}

/// Each row of `values` divided by its length.
pub(crate) fn unit_rows(values: &[f32], dim: usize) -> Vec<f32> {
    let mut out = values.to_vec();
    out.par_chunks_mut(dim).for_each(|row| {
        let norm = norm(row) as f32;
        row.iter_mut().for_each(|v| *v /= norm);
    });
    out
}

/// Gradient of rows `x` from the gradient of the rows `y = x / |x|`: `(g - y (y . g)) / |x|`.
pub(crate) fn unit_rows_backward(x: &[f32], y: &[f32], gradient: &mut [f32], dim: usize) {
    let rows = x.chunks_exact(dim).zip(y.chunks_exact(dim));
    for ((x, y), g) in rows.zip(gradient.chunks_exact_mut(dim)) {
        let norm = norm(x) as f32;
        let along: f64 = y
            .iter()
            .zip(&*g)
            .map(|(y, g)| f64::from(*y) * f64::from(*g))
            .sum();
        let along = along as f32;
        for (g, y) in g.iter_mut().zip(y) {
            *g = (*g - y * along) / norm;
        }
    }
}
