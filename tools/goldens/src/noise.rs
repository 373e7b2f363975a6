//! Numbers that look random and are the same on every machine, and the distance between two results
//! computed from them.

/// The first `n` values of a stream in (-1, 1) that depends on the seed alone, times `scale`.
pub fn noise(seed: u64, n: usize, scale: f32) -> Vec<f32> {
    noise_stream(seed).take(n).map(|x| x * scale).collect()
}

/// An endless stream of values in (-1, 1), the same for the same seed.
pub fn noise_stream(seed: u64) -> impl Iterator<Item = f32> {
    // Xorshift; its state must not be zero.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    })
}

/// Norm of the difference over the norm of the expected values.
pub fn relative_distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "number of values");
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| f64::from(a - b)))
        / norm(&mut expected.iter().map(|b| f64::from(*b))).max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_the_same_for_the_same_seed_and_within_its_scale() {
        let values = noise(3, 1000, 2.0);
        assert_eq!(values, noise(3, 1000, 2.0));
        assert_ne!(values, noise(4, 1000, 2.0));
        assert!(values.iter().all(|v| v.abs() < 2.0));
        assert!(values.iter().sum::<f32>().abs() < 100.0);
    }

    #[test]
    fn distance_is_relative_and_zero_between_zeros() {
        assert_eq!(relative_distance(&[3.0, 4.5], &[3.0, 4.0]), 0.1);
        assert_eq!(relative_distance(&[0.0], &[0.0]), 0.0);
        assert!(relative_distance(&[1e-3], &[0.0]) > 1.0);
    }
}
