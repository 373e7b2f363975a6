//! Differences between two methods, with paired tests over seeds and data sets.

use crate::student::two_sided_p;

/// What one number is more than the baseline's, in points of a per cent, and how sure that is. A pair is
/// two results of one data set and seed; a method without a seed is paired with every seed of the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The mean difference of all pairs.
    pub difference: f64,
    /// The test over all pairs. It takes them as independent, which the seeds of one data set are not.
    pub pairs: PairedTest,
    /// The test over the means of the data sets, one pair for each.
    pub data_sets: PairedTest,
}

/// A paired t-test, two-sided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedTest {
    /// Number of pairs.
    pub n: usize,
    /// The probability of a mean difference at least as large, if there is none in truth.
    pub p: Result<f64, NoTest>,
}

/// Why a test has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTest {
    /// There is one pair, whose spread is not known.
    OnePair,
    /// All differences are equal, so that they have no spread.
    AllEqual,
}

impl NoTest {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::OnePair => "one pair",
            Self::AllEqual => "all equal",
        }
    }
}

/// The comparison from the differences of each data set; `None` without a pair.
pub(crate) fn paired(data_sets: &[Vec<f64>]) -> Option<Paired> {
    let all: Vec<f64> = data_sets.iter().flatten().copied().collect();
    let means: Vec<f64> = data_sets.iter().filter_map(|set| mean(set)).collect();
    Some(Paired {
        difference: mean(&all)?,
        pairs: test(&all)?,
        data_sets: test(&means)?,
    })
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The t-test of whether the mean of these differences is zero; `None` without any.
fn test(differences: &[f64]) -> Option<PairedTest> {
    /// Differences of percentages that agree up to rounding.
    const EQUAL: f64 = 1e-9;
    let n = differences.len();
    let mean = mean(differences)?;
    let first = differences.first()?;
    let p = if n == 1 {
        Err(NoTest::OnePair)
    } else if differences.iter().all(|d| (d - first).abs() < EQUAL) {
        Err(NoTest::AllEqual)
    } else {
        let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
        let variance = squares / (n - 1) as f64;
        let t = mean / (variance / n as f64).sqrt();
        Ok(two_sided_p(t, n - 1))
    };
    Some(PairedTest { n, p })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(test: PairedTest) -> f64 {
        test.p.unwrap_or_else(|none| panic!("{none:?}"))
    }

    #[test]
    fn a_test_is_that_of_scipy() {
        // scipy.stats.ttest_1samp([1, 2, 4, 3.5], 0) and of ([1.5, 3.75], 0).
        let found = paired(&[vec![1.0, 2.0], vec![4.0, 3.5]]).expect("pairs");
        assert_eq!(found.difference, 2.625);
        assert_eq!((found.pairs.n, found.data_sets.n), (4, 2));
        assert!(
            (p(found.pairs) - 0.031724839128026046).abs() < 1e-12,
            "{found:?}"
        );
        assert!(
            (p(found.data_sets) - 0.2577621168183132).abs() < 1e-12,
            "{found:?}"
        );
    }

    #[test]
    fn without_a_spread_there_is_no_test_and_a_reason() {
        let of = |sets: &[Vec<f64>]| paired(sets).map(|found| (found.pairs.p, found.data_sets.p));
        let one = Err(NoTest::OnePair);
        assert_eq!(of(&[vec![2.0]]), Some((one, one)));
        let (equal, same) = (Err(NoTest::AllEqual), [vec![2.0, 2.0 + 1e-13]]);
        assert_eq!(of(&same), Some((equal, one)));
        assert_eq!(of(&[vec![2.0], vec![2.0]]), Some((equal, equal)));
        assert_eq!(of(&[vec![], vec![]]), None);
    }
}
