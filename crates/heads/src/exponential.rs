//! The exponential of many f32 values, written so that the compiler computes several at once.

/// Puts `exp(x)` in the place of each `x`, to within two units of the last place; 0 far below and infinite far above
/// the range of f32.
///
/// `x = n ln 2 + r`, and `exp(r)` for `|r| <= ln 2 / 2` is its series to the seventh power.
#[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx512dq+avx512bw", "x86_64+avx2",))]
pub(crate) fn exponentials(values: &mut [f32]) {
    for value in values {
        let x = value.clamp(-104.0, 89.0);
        // Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits.
        let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
        let n = shifted - 12_582_912.0;
        let r = (x - n * LN2_HIGH) - n * LN2_LOW;
        let mut p = 1.0 / 5040.0;
        for c in [
            1.0 / 720.0,
            1.0 / 120.0,
            1.0 / 24.0,
            1.0 / 6.0,
            0.5,
            1.0,
            1.0,
        ] {
            p = p * r + c;
        }
        // In two factors, because 2^n alone may be outside of f32 where the result is not.
        let n = shifted.to_bits().wrapping_sub(0x4b40_0000) as i32;
        let half = n >> 1;
        let power = |n: i32| f32::from_bits((n.wrapping_add(127) << 23) as u32);
        *value = p * power(half) * power(n - half);
    }
}

/// The first bits of ln 2, so few that their product with `n` is exact, and the rest.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_to_two_units_of_the_last_place() {
        let mut x = -87.0_f32;
        while x < 88.7 {
            let mut found = [x];
            exponentials(&mut found);
            let expected = f64::from(x).exp();
            let error = (f64::from(found[0]) / expected - 1.0).abs();
            assert!(error < 2.0 * f64::from(f32::EPSILON), "{x}: {error:e}");
            x += 0.003_7;
        }
        let mut edges = [0.0, -1e30, 1e30, f32::NEG_INFINITY, f32::INFINITY, -100.0];
        exponentials(&mut edges);
        assert_eq!(edges[..5], [1.0, 0.0, f32::INFINITY, 0.0, f32::INFINITY]);
        assert!((edges[5] / 3.8e-44 - 1.0).abs() < 0.1);
        let mut nan = [f32::NAN];
        exponentials(&mut nan);
        assert!(nan[0].is_nan());
    }
}
