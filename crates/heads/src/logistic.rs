//! The objective of a logistic regression, as scikit-learn 1.9 evaluates it on f32 features.
//!
//! Mean cross entropy plus half the squared weights over `C N`; the intercept is not penalised. Weights are
//! rounded to f32 for each evaluation and every number is f32 on the way, only the solver around it is
//! f64: near the end, where the function no longer falls by more than its rounding, this decides when the
//! solver stops. Two classes have one row of weights (the logit of the second), more have one for each.

use rayon::prelude::*;

use crate::lbfgs::{Limits, Minimum, minimise};
use crate::product::{columns_by_columns, rows_by_rows};

/// The training set of a regression.
pub(crate) struct Objective<'a> {
    features: &'a [f32],
    labels: &'a [usize],
    dim: usize,
    /// Rows of weights: 1 for two classes.
    outputs: usize,
    l2: f64,
}

/// Rows that one task takes.
const ROWS: usize = 64;

impl<'a> Objective<'a> {
    pub(crate) fn new(features: &'a [f32], labels: &'a [usize], classes: usize, c: f64) -> Self {
        Self {
            features,
            labels,
            dim: features.len() / labels.len(),
            outputs: if classes == 2 { 1 } else { classes },
            l2: 1.0 / (c * labels.len() as f64),
        }
    }

    /// Minimises it from zero; the variables are rows of weights, each with its intercept at the end.
    pub(crate) fn minimum(&self, limits: Limits) -> Minimum {
        let start = vec![0.0; self.outputs * (self.dim + 1)];
        minimise(start, limits, |x| self.value_and_gradient(x))
    }

    /// Weights `[outputs, dim]` and intercepts, rounded to f32.
    pub(crate) fn split(&self, x: &[f64]) -> (Vec<f32>, Vec<f32>) {
        let rows = x.chunks_exact(self.dim + 1);
        let weights = rows
            .clone()
            .flat_map(|row| &row[..self.dim])
            .map(|w| *w as f32);
        let intercepts = rows.map(|row| row[self.dim] as f32);
        (weights.collect(), intercepts.collect())
    }

    pub(crate) fn value_and_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let (weights, intercepts) = self.split(x);
        let rows = self.labels.len() as f32;
        // [rows, outputs]
        let mut g = rows_by_rows(self.features, &weights, self.dim);
        let sums: Vec<f64> = g
            .par_chunks_mut(ROWS * self.outputs)
            .zip(self.labels.par_chunks(ROWS))
            .map(|(g, labels)| {
                let each = g
                    .chunks_exact_mut(self.outputs)
                    .zip(labels)
                    .map(|(row, label)| {
                        row.iter_mut().zip(&intercepts).for_each(|(r, b)| *r += b);
                        let loss = match row {
                            [logit] => binomial(logit, *label),
                            _ => multinomial(row, *label),
                        };
                        row.iter_mut().for_each(|g| *g /= rows);
                        f64::from(loss)
                    });
                each.sum()
            })
            .collect();
        let mean = sums.iter().sum::<f64>() as f32 / rows;
        let squares: f64 = weights.iter().map(|w| f64::from(*w) * f64::from(*w)).sum();
        let penalty = (0.5 * self.l2) as f32 * squares as f32;
        // [outputs, dim]
        let of_weights = columns_by_columns(&g, self.features, self.labels.len());
        let mut of_intercepts = vec![0.0_f64; self.outputs];
        for row in g.chunks_exact(self.outputs) {
            of_intercepts
                .iter_mut()
                .zip(row)
                .for_each(|(sum, g)| *sum += f64::from(*g));
        }
        let l2 = self.l2 as f32;
        let mut gradient = Vec::with_capacity(x.len());
        let rows = of_weights
            .chunks_exact(self.dim)
            .zip(weights.chunks_exact(self.dim));
        for ((g, w), intercept) in rows.zip(&of_intercepts) {
            gradient.extend(g.iter().zip(w).map(|(g, w)| f64::from(g + l2 * w)));
            gradient.push(f64::from(*intercept as f32));
        }
        (f64::from(mean) + f64::from(penalty), gradient)
    }
}

/// Loss of one row; puts the gradient in the place of its logits.
fn multinomial(row: &mut [f32], label: usize) -> f32 {
    let right = row[label];
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0_f64;
    for p in row.iter_mut() {
        *p = f64::from(*p - largest).exp() as f32;
        sum += f64::from(*p);
    }
    let sum = sum as f32;
    row.iter_mut().for_each(|p| *p /= sum);
    row[label] -= 1.0;
    (f64::from(sum).ln() + f64::from(largest)) as f32 - right
}

/// The same for two classes: the logit of the second against none of the first.
fn binomial(logit: &mut f32, label: usize) -> f32 {
    let (raw, target) = (f64::from(*logit), label as f64);
    let softplus = if raw > 0.0 {
        raw + (-raw).exp().ln_1p()
    } else {
        raw.exp().ln_1p()
    };
    *logit = (1.0 / (1.0 + (-raw).exp()) - target) as f32;
    (softplus - target * raw) as f32
}
