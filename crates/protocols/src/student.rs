//! Student's t distribution: how often a larger value occurs by chance.

/// The probability that a variable with Student's t distribution and `degrees` degrees of freedom is at
/// least as far from zero as `t`, on either side: I_x(n / 2, 1 / 2) with x = n / (n + t^2) (Abramowitz
/// and Stegun, 26.5.27 and 26.7.1).
pub(crate) fn two_sided_p(t: f64, degrees: usize) -> f64 {
    let n = degrees as f64;
    incomplete_beta(n / (n + t * t), n / 2.0, 0.5)
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun,
/// 26.5.8) where that converges fast, and by symmetry elsewhere.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let log_front = log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    let front = log_front.exp();
    match x < (a + 1.0) / (a + b + 2.0) {
        true => front * continued_fraction(x, a, b) / a,
        false => 1.0 - front * continued_fraction(1.0 - x, b, a) / b,
    }
}

/// The continued fraction of the incomplete beta function, by Lentz's method.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    /// Many more terms than any number of runs needs.
    const TERMS: usize = 10_000;
    const TINY: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..TERMS {
        let m = term as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut last = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / not_zero(1.0 + coefficient * d);
            c = not_zero(1.0 + coefficient / c);
            last = c * d;
            fraction *= last;
        }
        if (last - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    fraction
}

/// The logarithm of the gamma function of a positive number: Stirling's series (Abramowitz and Stegun,
/// 6.1.41) above 10, to which smaller numbers are led by the recurrence.
fn log_gamma(x: f64) -> f64 {
    const LARGE: f64 = 10.0;
    /// Half of the logarithm of two pi.
    const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_7;
    let mut x = x;
    let mut product = 1.0;
    while x < LARGE {
        product *= x;
        x += 1.0;
    }
    let (inverse, square) = (1.0 / x, 1.0 / (x * x));
    let coefficients = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
    ];
    let series = coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * square + coefficient);
    (x - 0.5) * x.ln() - x + HALF_LOG_TWO_PI + series * inverse - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 * scipy.stats.t.sf(t, degrees), scipy 1.17.1.
    const EXPECTED: &[(f64, usize, f64)] = &[
        (0.1, 1, 0.936548965138893),
        (1.0, 1, 0.5000000000000001),
        (12.706204736, 1, 0.050000000000684656),
        (1000.0, 1, 0.0006366195601611178),
        (0.5, 2, 0.6666666666666667),
        (4.30265273, 2, 0.0499999999946066),
        (30.0, 2, 0.001109262681959659),
        (2.0, 5, 0.10193947882985835),
        (-3.5, 10, 0.00572650542988521),
        (0.01, 10, 0.9922179749909714),
        (1.3, 32, 0.2028873871173747),
        (25.0, 32, 1.4372006374436682e-22),
        (2.039513446, 31, 0.05000000004184682),
        (4.0, 99, 0.00012225152757111313),
        (0.7, 1000, 0.48409011399260243),
        (8.0, 1000, 3.4266614823914978e-15),
    ];

    #[test]
    fn probabilities_are_those_of_scipy() {
        for (t, degrees, expected) in EXPECTED {
            let found = two_sided_p(*t, *degrees);
            let error = (found / expected - 1.0).abs();
            assert!(error < 1e-10, "{t} {degrees}: {found} {expected}");
        }
    }

    #[test]
    fn the_sign_does_not_matter_and_zero_says_nothing() {
        assert_eq!(two_sided_p(-2.5, 7), two_sided_p(2.5, 7));
        for degrees in 1..100 {
            assert_eq!(two_sided_p(0.0, degrees), 1.0);
        }
    }

    #[test]
    fn factorials_and_the_root_of_pi() {
        for (x, expected) in [(1.0, 1.0), (5.0, 24.0), (0.5, std::f64::consts::PI.sqrt())] {
            let found: f64 = log_gamma(x).exp();
            assert!((found - expected).abs() < 1e-12 * expected, "{x}: {found}");
        }
    }
}
