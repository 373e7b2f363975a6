//! The confidence interval of the mean of a few values, by Student's t distribution.

/// 97.5 % quantiles of Student's t distribution for 1 to 30 degrees of freedom.
const QUANTILES: [f64; 30] = [
    12.706204736,
    4.302652730,
    3.182446305,
    2.776445105,
    2.570581836,
    2.446911851,
    2.364624252,
    2.306004135,
    2.262157163,
    2.228138852,
    2.200985160,
    2.178812830,
    2.160368656,
    2.144786688,
    2.131449546,
    2.119905299,
    2.109815578,
    2.100922040,
    2.093024054,
    2.085963447,
    2.079613845,
    2.073873068,
    2.068657610,
    2.063898562,
    2.059538553,
    2.055529439,
    2.051830516,
    2.048407142,
    2.045229642,
    2.042272456,
];
/// The 97.5 % quantile of the normal distribution.
const NORMAL: f64 = 1.959963985;

/// The 97.5 % quantile of Student's t distribution with `degrees` degrees of freedom.
fn quantile(degrees: usize) -> f64 {
    match degrees.checked_sub(1).and_then(|i| QUANTILES.get(i)) {
        Some(quantile) => *quantile,
        // Cornish-Fisher expansion; at 31 degrees of freedom it is correct to five digits.
        None => {
            let (z, n) = (NORMAL, degrees as f64);
            z + (z.powi(3) + z) / (4.0 * n)
                + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n.powi(2))
                + (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z)
                    / (384.0 * n.powi(3))
        }
    }
}

/// Fewest values with an interval: that of two is dozens of deviations wide.
const FEWEST: usize = 3;

/// Half the width of the 95 % confidence interval of the mean of these values; `None` for fewer
/// than three, and where all are equal, which says nothing about others. It is computed from the sample standard deviation (divided by n - 1).
pub fn half_interval(values: &[f64]) -> Option<f64> {
    let n = values.len();
    if n < FEWEST || values.iter().all(|value| Some(value) == values.first()) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let standard_deviation = (squares / (n - 1) as f64).sqrt();
    Some(quantile(n - 1) * standard_deviation / (n as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_seeds_by_hand() {
        // Mean 81, squares 1 + 0 + 1, sample standard deviation 1: 4.302653 / sqrt(3).
        let half = half_interval(&[80.0, 81.0, 82.0]).expect("three values");
        assert!((half - 2.484138).abs() < 1e-6, "{half}");
        assert_eq!(half_interval(&[80.0]), None);
        assert_eq!(half_interval(&[80.0, 90.0]), None);
        assert_eq!(half_interval(&[80.0, 80.0, 80.0]), None);
    }

    #[test]
    fn quantiles_decrease_towards_the_normal_one_without_a_jump() {
        // scipy.stats.t.ppf(0.975, [31, 60, 1000]).
        for (degrees, expected) in [(31, 2.039513446), (60, 2.000297822), (1000, 1.962339081)] {
            let found = quantile(degrees);
            assert!((found - expected).abs() < 1e-5, "{degrees}: {found}");
        }
        for degrees in 1..200 {
            assert!(quantile(degrees) > quantile(degrees + 1));
        }
    }
}
