//! The expected calibration error, in bins of equal width.

use crate::logits::LabelledLogits;
use crate::softmax::{greatest, softmax};
use crate::temperature::Temperature;

/// Number of bins.
pub const BINS: usize = 15;

/// Images by the probability of their answer, in 15 bins that are open below and closed above.
///
/// Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
#[derive(Clone, Copy, Debug, Default)]
pub struct CalibrationBins {
    bins: [ReliabilityBin; BINS],
}

/// The images whose confidence is in one of the [`BINS`] intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReliabilityBin {
    /// The sum of their confidences: the probability of the class with the largest logit.
    pub confidence: f64,
    /// Number of them that are classified correctly.
    pub correct: u64,
    /// Number of them.
    pub total: u64,
}

impl CalibrationBins {
    /// The bins of labelled images at a temperature. Of equal logits, the first is the answer.
    pub fn of(images: &LabelledLogits, temperature: Temperature) -> Self {
        let mut bins = Self::default();
        for (label, row) in images.rows() {
            let top = greatest(row);
            let answer = row.iter().position(|value| f64::from(*value) == top);
            let probabilities = softmax(row, 1.0 / temperature.value());
            let confidence = answer.and_then(|answer| probabilities.get(answer));
            bins.add(confidence.copied().unwrap_or(0.0), answer == Some(label));
        }
        bins
    }

    /// Counts an image whose answer has this probability.
    pub fn add(&mut self, confidence: f64, is_correct: bool) {
        // (0, 1/15], ... (14/15, 1].
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        if let Some(bin) = self.bins.get_mut(bin) {
            bin.confidence += confidence;
            bin.correct += u64::from(is_correct);
            bin.total += 1;
        }
    }

    /// The bins, from the least confidence to the greatest.
    pub fn bins(&self) -> &[ReliabilityBin; BINS] {
        &self.bins
    }

    /// The mean over images of the distance between mean probability and accuracy in their bin; `None`
    /// without images.
    pub fn error(&self) -> Option<f64> {
        let total: u64 = self.bins.iter().map(|bin| bin.total).sum();
        let distance = |bin: &ReliabilityBin| (bin.confidence - bin.correct as f64).abs();
        (total > 0).then(|| self.bins.iter().map(distance).sum::<f64>() / total as f64)
    }
}
