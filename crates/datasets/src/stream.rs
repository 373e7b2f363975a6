//! Random numbers for augmentation and order, a stream of them for each image and epoch.

/// Random numbers (SplitMix64) determined by a seed, an epoch and an image.
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// The stream of an image in an epoch.
    pub fn new(seed: u64, epoch: u64, image: u64) -> Self {
        Self(
            [seed, epoch, image]
                .into_iter()
                .fold(0, |state, key| scramble(state ^ scramble(key))),
        )
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let bits = scramble(self.0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }

    /// A number 0 <= x < 1.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number from `low` to `high`.
    pub(crate) fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A whole number below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        // The bias, n / 2^64, is negligible.
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u32
    }

    /// Shuffles items (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let n = u32::try_from(last + 1).unwrap_or(u32::MAX);
            items.swap(last, self.below(n) as usize);
        }
    }
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's step and finaliser.
fn scramble(state: u64) -> u64 {
    let mut z = state.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // First outputs of the published generator for the state 1234567.
        let mut stream = Stream(1_234_567);
        assert_eq!(stream.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(stream.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_of_neighbouring_keys_differ() {
        let mut firsts: Vec<u64> = (0..1000)
            .flat_map(|i| [(i, 0, 0), (0, i, 1), (1, 1, i)])
            .map(|(seed, epoch, image)| Stream::new(seed, epoch, image).next_u64())
            .collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 3000);
    }
}
