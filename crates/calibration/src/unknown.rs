//! Scores that tell images of known classes from others, and the threshold between them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{NumbersError, finite};
use crate::logits::check_row;
use crate::quantile::{check_rate, conformal_quantile};
use crate::softmax::{greatest, log_sum_exp, softmax};

/// A score of an image that is higher where its class is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownScore {
    /// The greatest probability at CLIP's own temperature: maximum concept matching (Ming et al., "Delving into
    /// Out-of-Distribution Detection with Vision-Language Representations", NeurIPS 2022, equation 1, where the
    /// temperature is a setting).
    Mcm,
    /// The same at temperature 1, of the cosines without CLIP's scale, as in that paper's published results: of
    /// logits divided by the scale.
    McmUnscaled,
    /// The greatest logit (Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World
    /// Settings", ICML 2022).
    MaxLogit,
    /// The logarithm of the sum of the exponentials of the logits, which is the negative free energy at
    /// temperature 1 (Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020, equation 4).
    Energy,
}

/// A name that is not that of an [`UnknownScore`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no score of unknown classes, expected {all}", name = .0, all = names())]
pub struct UnknownUnknownScore(pub String);

impl UnknownScore {
    /// All.
    pub const ALL: [Self; 4] = [Self::Mcm, Self::McmUnscaled, Self::MaxLogit, Self::Energy];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mcm => "mcm",
            Self::McmUnscaled => "mcm-unscaled",
            Self::MaxLogit => "max-logit",
            Self::Energy => "energy",
        }
    }

    /// The score of a row of logits. `logit_scale`: CLIP's scale, by which its cosines became logits.
    ///
    /// # Errors
    /// [`NumbersError`] if there is no logit, or one is not finite.
    pub fn score(self, row: &[f32], logit_scale: f32) -> Result<f64, NumbersError> {
        if row.is_empty() {
            return Err(NumbersError::Empty);
        }
        check_row(row, row.len())?;
        Ok(match self {
            Self::Mcm => greatest_probability(row, 1.0),
            Self::McmUnscaled => greatest_probability(row, 1.0 / f64::from(logit_scale)),
            Self::MaxLogit => greatest(row),
            Self::Energy => log_sum_exp(row, 1.0),
        })
    }
}

fn greatest_probability(row: &[f32], inverse_temperature: f64) -> f64 {
    let probabilities = softmax(row, inverse_temperature);
    probabilities.into_iter().fold(0.0, f64::max)
}

/// The names of all scores.
fn names() -> String {
    UnknownScore::ALL.map(UnknownScore::name).join(", ")
}

impl fmt::Display for UnknownScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for UnknownScore {
    type Err = UnknownUnknownScore;

    fn from_str(name: &str) -> Result<Self, UnknownUnknownScore> {
        let found = Self::ALL.into_iter().find(|score| score.name() == name);
        found.ok_or_else(|| UnknownUnknownScore(name.to_string()))
    }
}

/// The greatest threshold that a new image of known classes reaches with a probability of at least `keep`,
/// by the scores of n such images: their k-th smallest, where k = floor((n + 1)(1 - keep)). `None` where n
/// is so small that there is none.
///
/// # Errors
/// [`NumbersError`] if a score is not finite, or `keep` is not above 0 and below 1.
pub fn known_threshold(scores: &[f64], keep: f64) -> Result<Option<f64>, NumbersError> {
    check_rate(keep)?;
    for score in scores {
        finite("a score of unknown classes", *score)?;
    }
    // The k-th smallest of the scores is the (n + 1 - k)-th smallest of the negative ones.
    let mut negative: Vec<f64> = scores.iter().map(|score| -score).collect();
    negative.sort_by(f64::total_cmp);
    let threshold = -conformal_quantile(&negative, keep)?;
    Ok(threshold.is_finite().then_some(threshold))
}
