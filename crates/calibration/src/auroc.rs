//! How well a score tells known from unknown classes.

use crate::error::{NumbersError, finite};

/// The area under the receiver operating characteristic: the probability that an image of known classes has
/// a higher score than one of unknown classes, where equal scores count half. As scikit-learn's
/// `roc_auc_score` with known classes as the positive ones.
///
/// # Errors
/// [`NumbersError`] without scores of either kind, or if one is not finite.
pub fn auroc(known: &[f64], unknown: &[f64]) -> Result<f64, NumbersError> {
    check(known, unknown)?;
    let unknown = sorted(unknown);
    // Twice the number of pairs, so that halves are whole.
    let pairs = |score: &f64| {
        let below = unknown.partition_point(|other| other < score);
        let not_above = unknown.partition_point(|other| other <= score);
        (below + not_above) as f64
    };
    let won: f64 = known.iter().map(pairs).sum();
    Ok(won / (2.0 * known.len() as f64 * unknown.len() as f64))
}

/// The fraction of images of unknown classes whose score reaches the greatest threshold that a fraction of at
/// least `kept` of those of known classes reach: at `kept` 0.95, FPR at 95 % TPR. As the first point of
/// scikit-learn's `roc_curve` whose true positive rate is at least `kept`.
///
/// # Errors
/// As [`auroc`]; [`NumbersError::Rate`] unless `kept` is above 0 and below 1.
pub fn false_positive_rate(known: &[f64], unknown: &[f64], kept: f64) -> Result<f64, NumbersError> {
    check(known, unknown)?;
    crate::quantile::check_rate(kept)?;
    let known = sorted(known);
    let total = known.len();
    // A product that is whole but for rounding is that number.
    let wanted = ((total as f64 * kept - 1e-9).ceil() as usize).clamp(1, total);
    let threshold = known[total - wanted];
    let passed = unknown.iter().filter(|score| **score >= threshold).count();
    Ok(passed as f64 / unknown.len() as f64)
}

fn check(known: &[f64], unknown: &[f64]) -> Result<(), NumbersError> {
    for score in known.iter().chain(unknown) {
        finite("a score of unknown classes", *score)?;
    }
    match (known.is_empty(), unknown.is_empty()) {
        (true, true) => Err(NumbersError::Empty),
        (true, false) => Err(NumbersError::OneKind { found: "unknown" }),
        (false, true) => Err(NumbersError::OneKind { found: "known" }),
        (false, false) => Ok(()),
    }
}

fn sorted(scores: &[f64]) -> Vec<f64> {
    let mut scores = scores.to_vec();
    scores.sort_by(f64::total_cmp);
    scores
}
