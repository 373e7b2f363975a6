//! Random crops and flips for training.

use promptsrc_image::Crop;

use crate::{DataError, Stream};

/// torchvision's `RandomResizedCrop` and `RandomHorizontalFlip`, as the reference configures them.
///
/// The algorithm is torchvision's; the random numbers are not, because torch's generators in the
/// loader processes cannot be reproduced. Here each image has a [`Stream`] of its own in each
/// epoch, so results do not depend on the number of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// Smallest and largest fraction of the image's area that a crop covers.
    pub scale: (f64, f64),
    /// Smallest and largest ratio of a crop's width to its height.
    pub ratio: (f64, f64),
    /// Probability of a horizontal flip.
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
    /// Checks that the settings are valid.
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

    /// Draws a crop of an image of `width` x `height` pixels, and whether to flip it.
    pub fn draw(&self, width: u32, height: u32, random: &mut Stream) -> (Crop, bool) {
        let crop = self.crop(width, height, random);
        (crop, random.uniform() < self.flip)
    }

    /// `RandomResizedCrop.get_params`: ten attempts, then a centre crop of the nearest valid ratio.
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
        // Rounding may exceed an image that is only a pixel or two wide.
        let (w, h) = (w.clamp(1, width.max(1)), h.clamp(1, height.max(1)));
        Crop {
            left: (width.max(w) - w) / 2,
            top: (height.max(h) - h) / 2,
            width: w,
            height: h,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn crops_and_flips_are_distributed_as_torchvisions() {
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
    fn invalid_settings_are_refused() {
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
