//! The objective of a logistic regression, as scikit-learn 1.9 evaluates it in f64.
//!
//! Mean cross entropy plus half the squared weights over `C N`; the intercept is not penalised. Two classes have
//! one row of weights (the logit of the second), more have one for each.

use rayon::prelude::*;

use crate::error::HeadError;
use crate::fitted::{Observer, go_on};
use crate::lbfgs::{Limits, Minimum, minimise};
use crate::product::{columns_by_columns, rows_by_rows};

/// The training set of a regression.
pub(crate) struct Objective<'a> {
    features: &'a [f64],
    labels: &'a [usize],
    dim: usize,
    /// Rows of weights: 1 for two classes.
    outputs: usize,
    l2: f64,
}

/// Rows that one task takes.
const ROWS: usize = 64;

impl<'a> Objective<'a> {
    pub(crate) fn new(features: &'a [f64], labels: &'a [usize], classes: usize, c: f64) -> Self {
        Self {
            features,
            labels,
            dim: features.len() / labels.len(),
            outputs: if classes == 2 { 1 } else { classes },
            l2: 1.0 / (c * labels.len() as f64),
        }
    }

    /// Minimises it from zero; the variables are rows of weights, each with its intercept at the end.
    ///
    /// # Errors
    /// [`HeadError::Stopped`].
    pub(crate) fn minimum(
        &self,
        limits: Limits,
        observer: &dyn Observer,
    ) -> Result<Minimum, HeadError> {
        let start = vec![0.0; self.outputs * (self.dim + 1)];
        minimise(start, limits, |x| {
            go_on(observer)?;
            Ok(self.value_and_gradient(x))
        })
    }

    /// Weights `[outputs, dim]` and intercepts.
    pub(crate) fn split(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let rows = x.chunks_exact(self.dim + 1);
        let weights = rows.clone().flat_map(|row| &row[..self.dim]).copied();
        let intercepts = rows.map(|row| row[self.dim]);
        (weights.collect(), intercepts.collect())
    }

    pub(crate) fn value_and_gradient(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let (weights, intercepts) = self.split(x);
        let rows = self.labels.len() as f64;
        // [rows, outputs]
        let mut g = rows_by_rows(self.features, &weights, self.dim);
        let sums: Vec<f64> = g
            .par_chunks_mut(ROWS * self.outputs)
            .zip(self.labels.par_chunks(ROWS))
            .map(|(g, labels)| {
                let each = g.chunks_exact_mut(self.outputs).zip(labels);
                each.map(|(row, label)| {
                    row.iter_mut().zip(&intercepts).for_each(|(r, b)| *r += b);
                    let loss = match row {
                        [logit] => binomial(logit, *label),
                        _ => multinomial(row, *label),
                    };
                    row.iter_mut().for_each(|g| *g /= rows);
                    loss
                })
                .sum()
            })
            .collect();
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        let value = sums.iter().sum::<f64>() / rows + 0.5 * self.l2 * squares;
        // [outputs, dim]
        let of_weights = columns_by_columns(&g, self.features, self.labels.len());
        let mut of_intercepts = vec![0.0; self.outputs];
        for row in g.chunks_exact(self.outputs) {
            of_intercepts
                .iter_mut()
                .zip(row)
                .for_each(|(sum, g)| *sum += g);
        }
        let mut gradient = Vec::with_capacity(x.len());
        let rows = of_weights
            .chunks_exact(self.dim)
            .zip(weights.chunks_exact(self.dim));
        for ((g, w), intercept) in rows.zip(&of_intercepts) {
            gradient.extend(g.iter().zip(w).map(|(g, w)| g + self.l2 * w));
            gradient.push(*intercept);
        }
        (value, gradient)
    }
}

/// Loss of one row; puts the gradient in the place of its logits.
fn multinomial(row: &mut [f64], label: usize) -> f64 {
    let right = row[label];
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for p in row.iter_mut() {
        *p = (*p - largest).exp();
        sum += *p;
    }
    row.iter_mut().for_each(|p| *p /= sum);
    row[label] -= 1.0;
    sum.ln() + largest - right
}

/// The same for two classes: the logit of the second against none of the first.
fn binomial(logit: &mut f64, label: usize) -> f64 {
    let (raw, target) = (*logit, label as f64);
    let softplus = raw.max(0.0) + (-raw.abs()).exp().ln_1p();
    *logit = 1.0 / (1.0 + (-raw).exp()) - target;
    softplus - target * raw
}
