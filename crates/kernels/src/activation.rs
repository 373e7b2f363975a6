//! The activation of a block's MLP, its derivative, and the exponential that both need.

use serde::{Deserialize, Serialize};

/// The activation between the two linear layers of a block's MLP.
///
/// It serialises as Hugging Face's `hidden_act` names it: `quick_gelu` or `gelu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * sigmoid(1.702 x)`: OpenAI's weights.
    QuickGelu,
    /// `x * (1 + erf(x / sqrt 2)) / 2`, exact: most of OpenCLIP's weights.
    Gelu,
}

/// `e^x` to two units in the last place, in a form that the compiler vectorises. Below -87.3 it is
/// the least normal number.
#[inline(always)]
#[allow(clippy::excessive_precision, reason = "the digits as published")]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding it rounds to an integer, which is then found in the lowest bits.
    const SHIFT: f32 = 12_582_912.0;
    let x = x.clamp(-87.336_54, 88.722_83);
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    // ln 2 in two parts, the first with few bits, so that its products with n are exact.
    let r = x - n * 0.693_359_375;
    let r = r - n * -2.121_944_4e-4;
    // Cephes, expf.
    let p = 1.987_569_2e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_6e-1;
    let p = p * r + 5.000_000_1e-1;
    let p = p * (r * r) + r + 1.0;
    // In two factors: 2^128 is not an f32, its square root is.
    let bits = shifted.to_bits() & 0x01ff;
    let n = (bits << 23) as i32 >> 23;
    let half = n >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    p * power(half) * power(n - half)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// To a few units in the last place: Eigen's rational approximation.
#[inline(always)]
#[allow(clippy::excessive_precision, reason = "the digits as published")]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let s = x * x;
    let p = -2.726_142_3e-10;
    let p = p * s + 2.770_681_4e-8;
    let p = p * s - 2.101_024e-6;
    let p = p * s - 5.692_506_4e-5;
    let p = p * s - 7.349_906_3e-4;
    let p = p * s - 2.954_599_8e-3;
    let p = p * s - 1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * s - 2.133_740_6e-4;
    let q = q * s - 1.682_827e-3;
    let q = q * s - 7.373_329e-3;
    let q = q * s - 1.426_474e-2;
    x * p / q
}

/// Probability that a standard normal variable is at most `x`.
#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2)
}

const QUICK: f32 = 1.702;

impl Activation {
    /// Its value at `x`.
    #[inline(always)]
    pub(crate) fn value(self, x: f32) -> f32 {
        match self {
            Self::QuickGelu => x * sigmoid(QUICK * x),
            Self::Gelu => x * normal_cdf(x),
        }
    }

    /// Its derivative at `x`.
    #[inline(always)]
    pub(crate) fn derivative(self, x: f32) -> f32 {
        match self {
            Self::QuickGelu => {
                let s = sigmoid(QUICK * x);
                s + QUICK * x * s * (1.0 - s)
            }
            Self::Gelu => {
                // 1 / sqrt(2 pi)
                const DENSITY: f32 = 0.398_942_3;
                normal_cdf(x) + x * DENSITY * exp(-0.5 * x * x)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_exact_to_two_units_in_the_last_place() {
        for i in -87_000..88_700 {
            let x = i as f32 * 1e-3 + 1.7e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.4e-7, "exp({x}) = {} with error {error:e}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1.2e-38);
        assert!(exp(f32::INFINITY) > 3.4e38);
    }

    /// By Simpson's rule, in f64.
    fn exact_erf(x: f64) -> f64 {
        let n = 2000;
        let h = x / f64::from(n);
        let f = |i: i32| (-(f64::from(i) * h).powi(2)).exp();
        let inner: f64 = (1..n)
            .map(|i| f(i) * if i % 2 == 1 { 4.0 } else { 2.0 })
            .sum();
        (f(0) + inner + f(n)) * h / 3.0 * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn activations_are_exact_to_rounding() {
        for i in -900..900 {
            let x = i as f32 * 1e-2;
            let d = f64::from(x);
            let s = 1.0 / (1.0 + (-1.702 * d).exp());
            let cdf = 0.5 + 0.5 * exact_erf(d / 2f64.sqrt());
            let density = (-0.5 * d * d).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let cases = [
                (Activation::QuickGelu, d * s, s + 1.702 * d * s * (1.0 - s)),
                (Activation::Gelu, d * cdf, cdf + d * density),
            ];
            for (activation, value, derivative) in cases {
                // The sum in the distribution is rounded at 1, whatever it is multiplied by.
                let bound = 3e-7 * d.abs().max(1.0);
                let close = |a: f32, b: f64| (f64::from(a) - b).abs() < bound;
                assert!(close(activation.value(x), value), "{activation:?}({x})");
                assert!(
                    close(activation.derivative(x), derivative),
                    "{activation:?}'({x})"
                );
            }
        }
    }
}
