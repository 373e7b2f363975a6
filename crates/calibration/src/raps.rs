//! The score of RAPS: that of APS with a penalty on late ranks.

use serde::{Deserialize, Serialize};

use crate::aps;
use crate::conformal::{ConformalScores, SetScore};
use crate::error::NumbersError;
use crate::logits::LabelledLogits;
use crate::quantile::{check_rate, conformal_quantile};

/// The penalties that [`Raps::choose`] chooses among (Angelopoulos et al., appendix E).
pub const LAMBDAS: [f64; 5] = [0.001, 0.01, 0.1, 0.2, 0.5];

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

    /// Chosen on images that nothing else is calibrated on: k_reg is the conformal quantile of the ranks of the
    /// true classes (all classes where the images are too few), lambda the one of [`LAMBDAS`] whose sets are
    /// smallest on average, the first of equal ones.
    ///
    /// # Errors
    /// [`NumbersError`] without images, or for a wrong coverage.
    pub fn choose(images: &LabelledLogits, coverage: f64) -> Result<Self, NumbersError> {
        check_rate(coverage)?;
        if images.is_empty() {
            return Err(NumbersError::Empty);
        }
        let rank = |(label, row): (usize, &[f32])| aps::scores(row)[label].1 as f64;
        let mut ranks: Vec<f64> = images.rows().map(rank).collect();
        ranks.sort_by(f64::total_cmp);
        let k_reg = conformal_quantile(&ranks, coverage)?;
        let k_reg = (k_reg.min(images.classes() as f64)) as usize;
        let mut best: Option<(usize, Self)> = None;
        for lambda in LAMBDAS {
            let raps = Self { lambda, k_reg };
            let score = SetScore::Raps(raps);
            let threshold = ConformalScores::fit(&score, images)?.threshold(coverage)?;
            let mut size = 0;
            for (_, row) in images.rows() {
                size += score.set(row, &threshold)?.len();
            }
            if best.is_none_or(|(smallest, _)| size < smallest) {
                best = Some((size, raps));
            }
        }
        best.map(|(_, raps)| raps).ok_or(NumbersError::Empty)
    }

    pub(crate) fn scores(&self, row: &[f32]) -> Vec<f64> {
        let penalty = |rank: usize| self.lambda * rank.saturating_sub(self.k_reg) as f64;
        let scores = aps::scores(row).into_iter();
        scores.map(|(score, rank)| score + penalty(rank)).collect()
    }
}
