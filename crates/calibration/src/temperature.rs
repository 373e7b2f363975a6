//! The temperature under which labelled images are most likely.

use crate::error::NumbersError;
use crate::logits::LabelledLogits;
use crate::softmax::{greatest, log_sum_exp};

/// A temperature by which logits are divided before softmax: above 1, answers become less certain than
/// CLIP's own.
///
/// Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    value: f64,
    none: Option<NoTemperature>,
}

/// Why there is no temperature of greatest likelihood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTemperature {
    /// All images are classified correctly: the lower the temperature, the likelier they are.
    AllCorrect,
    /// The logits say no more of the classes than chance: the higher the temperature, the likelier they are.
    Uninformative,
}

impl Temperature {
    /// CLIP's own.
    pub const OWN: Self = Self {
        value: 1.0,
        none: None,
    };

    /// The temperature of greatest likelihood, to a relative precision of 1e-12. Where there is none,
    /// CLIP's own, and [`missing`](Self::missing) says why.
    ///
    /// With b = 1 / temperature, the negative log-likelihood is convex in b, and its derivative is the mean
    /// over images of the expected logit minus that of the true class: its root is bracketed by doubling,
    /// then found by Newton's steps, which are replaced by bisection where they would leave the bracket.
    ///
    /// # Errors
    /// [`NumbersError::Empty`] without images.
    pub fn fit(images: &LabelledLogits) -> Result<Self, NumbersError> {
        if images.is_empty() {
            return Err(NumbersError::Empty);
        }
        let own = |none| Ok(Self { none, ..Self::OWN });
        if derivatives(images, 0.0).0 >= 0.0 {
            return own(Some(NoTemperature::Uninformative));
        }
        let is_correct = |(label, row): (usize, &[f32])| f64::from(row[label]) == greatest(row);
        if images.rows().all(is_correct) {
            return own(Some(NoTemperature::AllCorrect));
        }
        let (mut low, mut high) = (0.0, 1.0);
        while derivatives(images, high).0 < 0.0 {
            (low, high) = (high, 2.0 * high);
        }
        let mut at = 0.5 * (low + high);
        // Bisection alone needs about 60 steps.
        for _ in 0..200 {
            let (slope, curvature) = derivatives(images, at);
            match slope < 0.0 {
                true => low = at,
                false => high = at,
            }
            let newton = at - slope / curvature;
            let next = match newton > low && newton < high {
                true => newton,
                false => 0.5 * (low + high),
            };
            let step = (next - at).abs();
            at = next;
            if step <= 1e-13 * at || high - low <= 1e-13 * high {
                break;
            }
        }
        Ok(Self {
            value: 1.0 / at,
            none: None,
        })
    }

    /// A temperature that is known.
    ///
    /// # Errors
    /// [`NumbersError::Setting`] unless it is a number from 1e-6 to 1e6.
    pub fn new(value: f64) -> Result<Self, NumbersError> {
        // No classifier is so wrong of itself; a file that says so is.
        match (1e-6..=1e6).contains(&value) {
            true => Ok(Self { value, none: None }),
            false => Err(NumbersError::Setting {
                what: "the temperature",
                value: value.to_string(),
                expected: "a number from 1e-6 to 1e6",
            }),
        }
    }

    /// The temperature.
    pub fn value(self) -> f64 {
        self.value
    }

    /// Why the images have no temperature of greatest likelihood, so that CLIP's own is kept.
    pub fn missing(self) -> Option<NoTemperature> {
        self.none
    }
}

/// First and second derivative of the mean negative log-likelihood in the inverse temperature.
fn derivatives(images: &LabelledLogits, inverse: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (label, row) in images.rows() {
        let top = greatest(row);
        let all = log_sum_exp(row, inverse) - inverse * top;
        // Distances to the greatest logit, so that nothing cancels.
        let (mut mean, mut square) = (0.0, 0.0);
        for value in row {
            let distance = f64::from(*value) - top;
            let probability = (inverse * distance - all).exp();
            mean += probability * distance;
            square += probability * distance * distance;
        }
        slope += mean - (f64::from(row[label]) - top);
        curvature += square - mean * mean;
    }
    let count = images.len() as f64;
    (slope / count, curvature / count)
}
