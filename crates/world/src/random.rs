//! Random choices that are the same everywhere, and a hash that never changes.

use promptsrc_datasets::Stream;

/// Random numbers that belong to a key.
#[derive(Clone, Debug)]
pub(crate) struct Random(Stream);

impl Random {
    pub(crate) fn new(a: u64, b: u64, c: u64) -> Self {
        Self(Stream::new(a, b, c))
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// 0 <= x < 1, a multiple of 2^-24: exact in `f32`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 24) as f32
    }

    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.0.below(100) < percent
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.below(u32::try_from(n).unwrap_or(u32::MAX)) as usize
    }

    /// One of the items; there must be at least one.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// One of the items, with probabilities in proportion to the weights.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(u32, T)]) -> T {
        let total: u32 = items.iter().map(|(weight, _)| weight).sum();
        let mut left = self.0.below(total);
        for (weight, item) in items {
            if left < *weight {
                return *item;
            }
            left -= weight;
        }
        items[0].1
    }
}

/// FNV-1a, and a round of mixing after it so that all bits are good.
pub(crate) fn stable_hash(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Stream::new(hash, 0, 0).next_u64()
}

/// Hash of a place on the integer grid; for textures.
pub(crate) fn grid_hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1)
        ^ (y as u32).wrapping_mul(0x85eb_ca77)
        ^ seed.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^ (h >> 15)
}

/// Hash of a place on the integer grid, 0 <= x < 1.
pub(crate) fn grid_unit(x: i32, y: i32, seed: u32) -> f32 {
    (grid_hash(x, y, seed) >> 8) as f32 / (1_u32 << 24) as f32
}
