//! Softmax of logits, computed so that nothing overflows.

/// The probabilities of a row of finite logits at an inverse temperature.
pub fn softmax(row: &[f32], inverse_temperature: f64) -> Vec<f64> {
    let top = greatest(row);
    let mut values: Vec<f64> = row
        .iter()
        .map(|value| (inverse_temperature * (f64::from(*value) - top)).exp())
        .collect();
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
    values
}

/// The logarithm of the sum of the exponentials of a row of finite logits, at an inverse temperature.
pub fn log_sum_exp(row: &[f32], inverse_temperature: f64) -> f64 {
    let top = greatest(row);
    let sum: f64 = row
        .iter()
        .map(|value| (inverse_temperature * (f64::from(*value) - top)).exp())
        .sum();
    inverse_temperature * top + sum.ln()
}

/// The greatest logit.
pub(crate) fn greatest(row: &[f32]) -> f64 {
    f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max))
}

/// The classes by decreasing logit; of equal ones the earlier comes first.
pub(crate) fn ranking(row: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    order
}
