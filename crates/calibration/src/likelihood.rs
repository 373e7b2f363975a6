//! The negative log-likelihood of labelled images.

use crate::error::NumbersError;
use crate::logits::LabelledLogits;
use crate::softmax::log_sum_exp;
use crate::temperature::Temperature;

/// The mean over images of the negative natural logarithm of the true class's probability, as
/// scikit-learn's `log_loss`.
///
/// # Errors
/// [`NumbersError::Empty`] without images.
pub fn negative_log_likelihood(
    images: &LabelledLogits,
    temperature: Temperature,
) -> Result<f64, NumbersError> {
    if images.is_empty() {
        return Err(NumbersError::Empty);
    }
    let inverse = 1.0 / temperature.value();
    let loss =
        |(label, row): (usize, &[f32])| log_sum_exp(row, inverse) - inverse * f64::from(row[label]);
    Ok(images.rows().map(loss).sum::<f64>() / images.len() as f64)
}
