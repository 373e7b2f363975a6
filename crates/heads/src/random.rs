//! Random numbers, a stream of them for each seed and name.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The random stream of (seed, name).
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        // FNV-1a: a stable number for a name.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(hash);
        Self(rng)
    }

    /// `n` values, uniform between `-bound` and `bound`.
    pub(crate) fn uniform(&mut self, bound: f64, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| {
                let unit = ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
                (bound * (2.0 * unit - 1.0)) as f32
            })
            .collect()
    }

    /// The numbers below `n` in random order (Fisher-Yates).
    pub(crate) fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            // The bias, n / 2^64, is negligible.
            let at = (u128::from(self.0.next_u64()) * (last as u128 + 1)) >> 64;
            order.swap(last, at as usize);
        }
        order
    }
}
