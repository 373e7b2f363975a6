//! Random crops and flips for training.

use promptsrc_image::Crop;

use crate::DataError;

/// torchvision's `RandomResizedCrop` and `RandomHorizontalFlip`, as the reference configures them.
///
/// The algorithm is torchvision's, the random numbers are not: there they come from torch's
/// generators inside of loader processes and cannot be reproduced. Here each image of each epoch
/// has a [`Stream`] of its own, so that results do not depend on the number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// Least and largest part of the image's area that a crop covers.
    pub scale: (f64, f64),
    /// Least and largest ratio of a crop's width to its height.
    pub ratio: (f64, f64),
    /// How probable it is that the image is mirrored.
    pub flip: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            scale: (0.08, 1.0),
            ratio: (3.0 / 4.0, 4.0 / 3.0),
            flip: 0.5,
        }
    }
}

impl Augment {
    /// Fails where nothing could be drawn.
    ///
    /// # Errors
    /// [`DataError::Augment`].
    pub fn check(&self) -> Result<(), DataError> {
        let ordered = |(low, high): (f64, f64)| low > 0.0 && low <= high && high.is_finite();
        let wrong = if !ordered(self.scale) || self.scale.1 > 1.0 {
            format!(
                "expected crop scales 0 < low <= high <= 1, found {:?}",
                self.scale
            )
        } else if !ordered(self.ratio) {
            format!(
                "expected crop ratios 0 < low <= high, found {:?}",
                self.ratio
            )
        } else if !(0.0..=1.0).contains(&self.flip) {
            format!(
                "expected a flip probability from 0 to 1, found {}",
                self.flip
            )
        } else {
            return Ok(());
        };
        Err(DataError::Augment(wrong))
    }

    /// Draws a crop of an image of `width` x `height` pixels, and whether to mirror it.
    pub fn draw(&self, width: u32, height: u32, random: &mut Stream) -> (Crop, bool) {
        let crop = self.crop(width, height, random);
        (crop, random.uniform() < self.flip)
    }

    /// `RandomResizedCrop.get_params`: ten tries, then the centre with the nearest ratio.
    fn crop(&self, width: u32, height: u32, random: &mut Stream) -> Crop {
        let area = f64::from(width) * f64::from(height);
        let log_ratio = (self.ratio.0.ln(), self.ratio.1.ln());
        for _ in 0..10 {
            let target = area * random.between(self.scale);
            let ratio = random.between(log_ratio).exp();
            // Python's round(): half to even. Casts saturate.
            let w = (target * ratio).sqrt().round_ties_even() as u32;
            let h = (target / ratio).sqrt().round_ties_even() as u32;
            if 0 < w && w <= width && 0 < h && h <= height {
                let top = random.below(height - h + 1);
                let left = random.below(width - w + 1);
                return Crop {
                    left,
                    top,
                    width: w,
                    height: h,
                };
            }
        }
        let ratio = f64::from(width) / f64::from(height);
        let (w, h) = if ratio < self.ratio.0 {
            (
                width,
                (f64::from(width) / self.ratio.0).round_ties_even() as u32,
            )
        } else if ratio > self.ratio.1 {
            (
                (f64::from(height) * self.ratio.1).round_ties_even() as u32,
                height,
            )
        } else {
            (width, height)
        };
        // Rounding may lead out of an image that is a pixel or two wide.
        let (w, h) = (w.clamp(1, width.max(1)), h.clamp(1, height.max(1)));
        Crop {
            left: (width.max(w) - w) / 2,
            top: (height.max(h) - h) / 2,
            width: w,
            height: h,
        }
    }
}

/// Random numbers that belong to a seed, an epoch and an image (SplitMix64).
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

    fn between(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A whole number below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: u32) -> u32 {
        // The bias, n / 2^64, is beyond notice.
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u32
    }

    /// Puts items into a random order (Fisher and Yates).
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
    use proptest::prelude::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // First outputs of the published generator for the state 1234567.
        let mut stream = Stream(1_234_567);
        assert_eq!(stream.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(stream.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_of_neighbours_differ() {
        let mut firsts: Vec<u64> = (0..1000)
            .flat_map(|i| [(i, 0, 0), (0, i, 1), (1, 1, i)])
            .map(|(seed, epoch, image)| Stream::new(seed, epoch, image).next_u64())
            .collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 3000);
    }

    #[test]
    fn crops_cover_what_they_should() {
        let augment = Augment::default();
        let (mut flips, mut area) = (0, 0.0);
        for i in 0..4000 {
            let (crop, flip) = augment.draw(300, 200, &mut Stream::new(7, 0, i));
            let ratio = f64::from(crop.width) / f64::from(crop.height);
            assert!((0.72..1.40).contains(&ratio), "{crop:?}");
            area += f64::from(crop.width * crop.height) / 60_000.0;
            flips += usize::from(flip);
        }
        assert!((1880..2120).contains(&flips), "{flips}");
        // 400,000 draws of torchvision's algorithm with Python's random: 0.390 of the area.
        assert!((area / 4000.0 - 0.390).abs() < 0.015, "{}", area / 4000.0);
    }

    #[test]
    fn impossible_settings_are_refused() {
        for wrong in [
            Augment {
                scale: (0.0, 1.0),
                ..Augment::default()
            },
            Augment {
                scale: (0.5, 1.5),
                ..Augment::default()
            },
            Augment {
                ratio: (2.0, 1.0),
                ..Augment::default()
            },
            Augment {
                flip: f64::NAN,
                ..Augment::default()
            },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(Augment::default().check().is_ok());
    }

    proptest! {
        #[test]
        fn crops_stay_inside(w in 1_u32..3000, h in 1_u32..3000, seed in any::<u64>()) {
            let (crop, _) = Augment::default().draw(w, h, &mut Stream::new(seed, 1, 2));
            prop_assert!(crop.width > 0 && crop.left + crop.width <= w, "{crop:?}");
            prop_assert!(crop.height > 0 && crop.top + crop.height <= h, "{crop:?}");
        }
    }
}
