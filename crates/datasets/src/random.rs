//! Python's `random`: the Mersenne Twister with CPython's seeding, sampling and shuffling.
//!
//! The reference samples its few-shot subsets with `random.seed(seed)` and `random.sample`; only the
//! same numbers in the same order give the same images.

const LENGTH: usize = 624;
const MIDDLE: usize = 397;

/// MT19937 as CPython's `random.Random(seed)` runs it.
///
/// ```
/// // >>> random.seed(1); random.random()
/// let mut random = promptsrc_datasets::MersenneTwister::new(1);
/// assert_eq!(random.random(), 0.13436424411240122);
/// ```
#[derive(Clone)]
pub struct MersenneTwister {
    state: [u32; LENGTH],
    next: usize,
}

impl MersenneTwister {
    /// `random.seed(seed)`.
    pub fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let key = if high == 0 { &[low][..] } else { &[low, high] };
        let mut random = Self {
            state: [0; LENGTH],
            next: LENGTH,
        };
        random.seed_by_array(key);
        random
    }

    /// `init_genrand(19650218)` and `init_by_array(key)` of the original C code.
    fn seed_by_array(&mut self, key: &[u32]) {
        let state = &mut self.state;
        state[0] = 19_650_218;
        for i in 1..LENGTH {
            let last = state[i - 1];
            state[i] = 1_812_433_253_u32
                .wrapping_mul(last ^ (last >> 30))
                .wrapping_add(i as u32);
        }
        let mut i = 1;
        for j in 0..LENGTH.max(key.len()) {
            let j = j % key.len();
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i = Self::following(state, i);
        }
        for _ in 0..LENGTH - 1 {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_566_083_941))
                .wrapping_sub(i as u32);
            i = Self::following(state, i);
        }
        state[0] = 1 << 31;
    }

    /// The next index of the seeding, which skips 0 but copies the last value there.
    fn following(state: &mut [u32; LENGTH], i: usize) -> usize {
        if i + 1 < LENGTH {
            return i + 1;
        }
        state[0] = state[LENGTH - 1];
        1
    }

    /// The generator's next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next >= LENGTH {
            for i in 0..LENGTH {
                let y = (self.state[i] & (1 << 31)) | (self.state[(i + 1) % LENGTH] & !(1 << 31));
                let twist = if y & 1 == 0 { 0 } else { 0x9908_b0df };
                self.state[i] = self.state[(i + MIDDLE) % LENGTH] ^ (y >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `random.getrandbits(bits)`, of at most 64 bits; 0 for none.
    pub fn getrandbits(&mut self, bits: u32) -> u64 {
        let mut value = 0;
        let mut filled = 0;
        // 32 bits at a time, the lowest first; the last ones are the upper bits of their word.
        while filled < bits.min(64) {
            let count = (bits.min(64) - filled).min(32);
            value |= u64::from(self.next_u32() >> (32 - count)) << filled;
            filled += count;
        }
        value
    }

    /// `random.random()`: 53 bits, 0 <= x < 1.
    pub fn random(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `random._randbelow(n)`: 0 <= x < n; 0 where `n` is 0.
    pub fn randbelow(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let value = self.getrandbits(bits) as usize;
            if value < n || n == 0 {
                return value;
            }
        }
    }

    /// The indices that `random.sample(items, count)` takes from `n` items, in its order.
    ///
    /// If there are fewer than `count` items (an error in Python), all are taken.
    pub fn sample(&mut self, n: usize, count: usize) -> Vec<usize> {
        let count = count.min(n);
        // Above this size, a set of the taken items is smaller than a copy of the list.
        let mut set_size = 21;
        if count > 5 {
            let mut power = 1_usize;
            while power < count.saturating_mul(3) {
                power = power.saturating_mul(4);
            }
            set_size += power;
        }
        if n <= set_size {
            let mut pool: Vec<usize> = (0..n).collect();
            return (0..count)
                // The last remaining item takes the place of the taken one.
                .map(|_| pool.swap_remove(self.randbelow(pool.len())))
                .collect();
        }
        let mut seen = std::collections::HashSet::with_capacity(count);
        (0..count)
            .map(|_| {
                loop {
                    let place = self.randbelow(n);
                    if seen.insert(place) {
                        return place;
                    }
                }
            })
            .collect()
    }

    /// `random.shuffle(items)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.randbelow(last + 1));
        }
    }
}

impl std::fmt::Debug for MersenneTwister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MersenneTwister(next: {})", self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_seeds_and_long_bit_strings_follow_cpython() {
        // >>> random.seed(2**40 + 7); random.getrandbits(40), random.getrandbits(64)
        let mut random = MersenneTwister::new((1 << 40) + 7);
        assert_eq!(LONG, (random.getrandbits(40), random.getrandbits(64)));
    }

    const LONG: (u64, u64) = (822974591194, 17301799233109514933);

    #[test]
    fn empty_and_too_short_lists_are_handled() {
        let mut random = MersenneTwister::new(0);
        assert_eq!(random.getrandbits(0), 0);
        assert_eq!(random.randbelow(0), 0);
        assert_eq!(random.randbelow(1), 0);
        assert!(random.sample(0, 3).is_empty());
        assert_eq!(random.sample(3, 9).len(), 3);
        random.shuffle(&mut [(); 0]);
    }
}
