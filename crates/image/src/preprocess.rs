//! CLIP's preprocessing: resize, crop, scale to 0..1, normalise.

use crate::{Crop, Image, ImageError, resize_bicubic, resize_bicubic_window};

/// How an image becomes the input of an image tower, as torchvision does it in CLIP's code:
/// `Resize(resolution, BICUBIC)`, `CenterCrop(resolution)`, `ToTensor()`, `Normalize(mean, std)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocess {
    /// Pixels per side of the input.
    pub resolution: u32,
    /// Subtracted from each channel (red, green, blue), on the scale 0..1.
    pub mean: [f32; 3],
    /// Divides each channel, after the subtraction.
    pub std: [f32; 3],
}

/// Mean of each colour channel (red, green, blue), on the scale 0..1, of the images that OpenAI's
/// CLIP was trained on.
pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of each colour channel of these images.
#[allow(clippy::excessive_precision, reason = "the digits as published")]
pub const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

impl Preprocess {
    /// The preprocessing of OpenAI's CLIP for a resolution.
    pub fn clip(resolution: u32) -> Self {
        Self {
            resolution,
            mean: CLIP_MEAN,
            std: CLIP_STD,
        }
    }

    /// The input for evaluation: `[3, resolution, resolution]`, of the image's centre.
    ///
    /// # Errors
    /// [`ImageError::Geometry`] where the resolution is zero.
    pub fn apply(&self, image: &Image) -> Result<Vec<f32>, ImageError> {
        Ok(self.normalise(&self.center(image)?))
    }

    /// The input for training: a part of the image, mirrored where `flip` says so.
    ///
    /// # Errors
    /// As [`cut`](Self::cut).
    pub fn apply_crop(
        &self,
        image: &Image,
        crop: Crop,
        flip: bool,
    ) -> Result<Vec<f32>, ImageError> {
        Ok(self.normalise(&self.cut(image, crop, flip)?))
    }

    /// The image's centre as `resolution` x `resolution` bytes: the shorter side is resized to
    /// the resolution, the longer in proportion (truncated to whole pixels), and the middle is
    /// kept. Nothing is stretched or padded; an image that already fits is not resampled.
    ///
    /// # Errors
    /// [`ImageError::Geometry`] where the resolution is zero or the image is too long for it.
    pub fn center(&self, image: &Image) -> Result<Image, ImageError> {
        let resolution = self.resolution;
        let short = image.width().min(image.height());
        let side = |length: u32| {
            let scaled = u64::from(resolution) * u64::from(length) / u64::from(short.max(1));
            u32::try_from(scaled).map_err(|_| {
                ImageError::geometry(format!(
                    "an image of {} x {} pixels is too long to be resized to {resolution} pixels \
                     on its shorter side",
                    image.width(),
                    image.height()
                ))
            })
        };
        let (width, height) = (side(image.width())?, side(image.height())?);
        let window = Crop {
            left: half_to_even(width.saturating_sub(resolution)),
            top: half_to_even(height.saturating_sub(resolution)),
            width: resolution,
            height: resolution,
        };
        resize_bicubic_window(image, None, (width, height), window)
    }

    /// A part of the image, stretched to `resolution` x `resolution` bytes and mirrored where
    /// `flip` says so, as torchvision's `resized_crop` and `hflip` do.
    ///
    /// # Errors
    /// [`ImageError::Geometry`] where the resolution is zero or the crop leaves the image.
    pub fn cut(&self, image: &Image, crop: Crop, flip: bool) -> Result<Image, ImageError> {
        let part = resize_bicubic(image, Some(crop), self.resolution, self.resolution)?;
        Ok(if flip { part.flipped() } else { part })
    }

    /// Bytes to `(byte / 255 - mean) / std` in `f32`, channel first: `[3, height, width]`.
    pub fn normalise(&self, image: &Image) -> Vec<f32> {
        let mut input = Vec::with_capacity(image.pixels().len());
        self.normalise_onto(image, &mut input);
        input
    }

    /// Appends what [`normalise`](Self::normalise) returns: makes a batch without a copy of each
    /// image.
    pub fn normalise_onto(&self, image: &Image, batch: &mut Vec<f32>) {
        let pixels = image.pixels().as_chunks::<3>().0;
        batch.reserve(3 * pixels.len());
        for (channel, (mean, std)) in self.mean.iter().zip(self.std).enumerate() {
            // A byte has 256 values: a table gives the same numbers without the divisions.
            let table: [f32; 256] = std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
            batch.extend(
                pixels
                    .iter()
                    .map(|pixel| table[usize::from(pixel[channel])]),
            );
        }
    }
}

/// `round(excess / 2)` of Python: a half goes to the even neighbour.
fn half_to_even(excess: u32) -> u32 {
    let down = excess / 2;
    if excess % 2 == 1 && down % 2 == 1 {
        down + 1
    } else {
        down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crop_offsets_round_half_to_even_as_python_does() {
        // [round(n / 2) for n in range(8)]
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 7].map(half_to_even),
            [0, 0, 1, 2, 2, 2, 3, 4]
        );
    }

    #[test]
    fn very_long_images_cost_no_more_than_others() {
        // Resized as a whole this would be 14,680,064 x 224 pixels.
        let image = Image::new(65_536, 1, vec![7; 3 * 65_536]).unwrap();
        let centre = Preprocess::clip(224).center(&image).unwrap();
        assert_eq!(centre.pixels(), vec![7; 3 * 224 * 224]);
    }

    #[test]
    fn impossible_resolutions_are_errors() {
        let image = Image::new(2, 1, vec![7; 6]).unwrap();
        assert!(Preprocess::clip(0).apply(&image).is_err());
        assert!(Preprocess::clip(u32::MAX).apply(&image).is_err());
    }
}
