//! The choice of the settings of RAPS.

use crate::aps;
use crate::conformal::{ConformalScores, SetScore};
use crate::error::NumbersError;
use crate::logits::LabelledLogits;
use crate::quantile::{check_rate, conformal_quantile};
use crate::raps::Raps;

/// The penalties that [`Raps::choose`] chooses among (Angelopoulos et al., appendix E).
pub const LAMBDAS: [f64; 5] = [0.001, 0.01, 0.1, 0.2, 0.5];

impl Raps {
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
}
