//! The mean cross entropy of logits and its gradient.

use rayon::prelude::*;

use crate::exponential::exponentials;

/// Rows that one task takes; fixed, so that the sum of the losses does not depend on the threads.
const ROWS: usize = 64;

/// Puts the gradient of the mean cross entropy in the place of `logits [rows, classes]`, and returns the loss.
pub(crate) fn cross_entropy_backward(logits: &mut [f32], labels: &[usize], classes: usize) -> f64 {
    let rows = labels.len();
    let share = 1.0 / rows as f32;
    let losses: Vec<f64> = logits
        .par_chunks_mut(ROWS * classes)
        .zip(labels.par_chunks(ROWS))
        .map(|(logits, labels)| {
            let mut loss = 0.0;
            for (row, label) in logits.chunks_exact_mut(classes).zip(labels) {
                let right = row[*label];
                let (largest, sum) = exponentials_of_row(row);
                loss += f64::from(largest - right) + f64::from(sum).ln();
                let factor = share / sum;
                row.iter_mut().for_each(|p| *p *= factor);
                row[*label] -= share;
            }
            loss
        })
        .collect();
    losses.iter().sum::<f64>() / rows as f64
}

/// Puts `exp(logit - largest)` in the place of a row's logits; returns the largest and the sum.
fn exponentials_of_row(row: &mut [f32]) -> (f32, f32) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|l| *l -= largest);
    exponentials(row);
    let sum: f64 = row.iter().map(|p| f64::from(*p)).sum();
    (largest, sum as f32)
}

/// Puts the softmax of each row in the place of `logits [rows, classes]`.
pub(crate) fn softmax(logits: &mut [f32], classes: usize) {
    logits.par_chunks_mut(classes).for_each(|row| {
        let (_, sum) = exponentials_of_row(row);
        row.iter_mut().for_each(|p| *p /= sum);
    });
}
