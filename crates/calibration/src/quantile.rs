//! The quantile of split-conformal prediction.

use crate::error::NumbersError;

/// What a product of a count and a rate may differ from a whole number by rounding.
const ROUNDING: f64 = 1e-10;

/// The `ceil((n + 1) coverage)`-th smallest of n scores, in increasing order: the score of a new image is
/// not above it with a probability of at least `coverage`, if all are exchangeable. Infinite where n is so
/// small that there is no such score.
///
/// Source: Angelopoulos and Bates, "A Gentle Introduction to Conformal Prediction", 2021, section 1. A product
/// that is a whole number but for rounding is taken as that number.
///
/// # Errors
/// [`NumbersError::Rate`] unless the coverage is above 0 and below 1.
pub fn conformal_quantile(increasing: &[f64], coverage: f64) -> Result<f64, NumbersError> {
    check_rate(coverage)?;
    let rank = rank(increasing.len(), coverage);
    Ok(increasing.get(rank - 1).copied().unwrap_or(f64::INFINITY))
}

/// The fewest images whose quantile is finite.
///
/// # Errors
/// As [`conformal_quantile`].
pub fn images_needed(coverage: f64) -> Result<usize, NumbersError> {
    check_rate(coverage)?;
    let guess = (coverage / (1.0 - coverage)).floor() as usize;
    let start = guess.saturating_sub(2).max(1);
    let enough = (start..start.saturating_add(6)).find(|n| rank(*n, coverage) <= *n);
    Ok(enough.unwrap_or(usize::MAX))
}

/// Fails unless a rate is above 0 and below 1.
///
/// # Errors
/// [`NumbersError::Rate`].
pub fn check_rate(value: f64) -> Result<(), NumbersError> {
    match value > 0.0 && value < 1.0 {
        true => Ok(()),
        false => Err(NumbersError::Rate {
            value: value.to_string(),
        }),
    }
}

/// From 1.
fn rank(n: usize, coverage: f64) -> usize {
    let exact = (n as f64 + 1.0) * coverage;
    ((exact - ROUNDING * exact.max(1.0)).ceil() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_is_exact_where_the_product_is_whole() {
        // In f64, (9 + 1) * 0.7 = 7.000000000000001 in some forms; (n + 1) coverage is whole here.
        for (n, coverage, expected) in [
            (19, 0.95, 19),
            (9, 0.7, 7),
            (99, 0.9, 90),
            (199, 0.9, 180),
            (99, 0.99, 99),
            (100, 0.9, 91),
            (1, 0.5, 1),
            (0, 0.5, 1),
        ] {
            assert_eq!(rank(n, coverage), expected, "{n} {coverage}");
        }
    }

    #[test]
    fn too_few_scores_give_an_infinite_quantile() {
        let scores: Vec<f64> = (1..=19).map(f64::from).collect();
        assert_eq!(conformal_quantile(&scores, 0.95), Ok(19.0));
        assert_eq!(conformal_quantile(&scores[..18], 0.95), Ok(f64::INFINITY));
        assert_eq!(conformal_quantile(&[], 0.1), Ok(f64::INFINITY));
        for (coverage, expected) in [(0.95, 19), (0.9, 9), (0.99, 99), (0.5, 1), (0.01, 1)] {
            assert_eq!(images_needed(coverage), Ok(expected), "{coverage}");
        }
        assert!(images_needed(1.0 - 1e-16).is_ok());
    }

    #[test]
    fn a_rate_is_strictly_between_0_and_1() {
        for wrong in [0.0, 1.0, 1.5, -0.5, f64::NAN, f64::INFINITY] {
            assert!(conformal_quantile(&[1.0], wrong).is_err(), "{wrong}");
        }
    }
}
