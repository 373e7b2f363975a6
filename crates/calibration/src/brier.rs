//! The Brier score of labelled images.

use crate::error::NumbersError;
use crate::logits::LabelledLogits;
use crate::softmax::softmax;
use crate::temperature::Temperature;

/// The mean over images of the sum over classes of (probability - truth)^2, from 0 to 2: scikit-learn's
/// `brier_score_loss(scale_by_half=False)`, which is its default for three classes and more.
///
/// # Errors
/// [`NumbersError::Empty`] without images.
pub fn brier_score(images: &LabelledLogits, temperature: Temperature) -> Result<f64, NumbersError> {
    if images.is_empty() {
        return Err(NumbersError::Empty);
    }
    let inverse = 1.0 / temperature.value();
    let score = |(label, row): (usize, &[f32])| -> f64 {
        let probabilities = softmax(row, inverse).into_iter().enumerate();
        probabilities
            .map(|(class, p)| (p - f64::from(u8::from(class == label))).powi(2))
            .sum()
    };
    Ok(images.rows().map(score).sum::<f64>() / images.len() as f64)
}
