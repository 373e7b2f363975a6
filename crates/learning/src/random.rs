//! Random numbers, a stream of them for each seed and name.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The random stream of (seed, name).
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream, at its beginning.
    pub fn new(seed: u64, name: &str) -> Self {
        // FNV-1a: a stable number for a name.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(hash);
        Self(rng)
    }

    /// A number between 0 and 1, neither of which occurs.
    fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// `n` values, uniform between `-bound` and `bound`.
    pub fn uniform(&mut self, bound: f64, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| (bound * (2.0 * self.unit() - 1.0)) as f32)
            .collect()
    }

    /// `n` normally distributed values of mean 0.
    pub fn gaussian(&mut self, std: f64, n: usize) -> Vec<f32> {
        (0..n)
            .map(|_| {
                // Box-Muller transform.
                let (a, b) = (self.unit(), self.unit());
                let normal = (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos();
                (std * normal) as f32
            })
            .collect()
    }

    /// The numbers below `n` in random order (Fisher-Yates).
    pub fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            // The bias, n / 2^64, is negligible.
            let at = (u128::from(self.0.next_u64()) * (last as u128 + 1)) >> 64;
            order.swap(last, at as usize);
        }
        order
    }
}
