//! The score of RAPS: that of APS with a penalty on late ranks.

use serde::{Deserialize, Serialize};

use crate::aps;
use crate::error::NumbersError;

/// The settings of RAPS: a class at rank r, from 1, has the score of APS + lambda max(0, r - k_reg).
///
/// Source: Angelopoulos et al., "Uncertainty Sets for Image Classifiers using Conformal Prediction", ICLR 2021,
/// equation 5, with u = 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raps {
    /// The penalty of a rank.
    pub lambda: f64,
    /// Ranks without a penalty.
    pub k_reg: usize,
}

impl Raps {
    /// # Errors
    /// [`NumbersError::Setting`] unless lambda is a finite number from 0 to 1e6.
    pub fn new(lambda: f64, k_reg: usize) -> Result<Self, NumbersError> {
        match (0.0..=1e6).contains(&lambda) {
            true => Ok(Self { lambda, k_reg }),
            false => Err(NumbersError::Setting {
                what: "the lambda of RAPS",
                value: lambda.to_string(),
                expected: "a number from 0 to 1e6",
            }),
        }
    }

    pub(crate) fn scores(&self, row: &[f32]) -> Vec<f64> {
        let penalty = |rank: usize| self.lambda * rank.saturating_sub(self.k_reg) as f64;
        let scores = aps::scores(row).into_iter();
        scores.map(|(score, rank)| score + penalty(rank)).collect()
    }
}
