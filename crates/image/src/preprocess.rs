//! An image tower's preprocessing: resize, crop, scale, normalise.

use std::fmt;

use crate::{Crop, Image, ImageError, Interpolation, resize, resize_window};

/// How an image becomes the input of an image tower. That of OpenAI's CLIP, [`clip`](Self::clip), is
/// torchvision's `Resize(resolution, BICUBIC)`, `CenterCrop(resolution)`, `ToTensor()`,
/// `Normalize(mean, std)`; other CLIPs are published with others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preprocess {
    /// Pixels per side of the input.
    pub resolution: u32,
    /// How the image is brought to this size.
    pub resize: Resize,
    /// Interpolation of the resizing, and of training crops.
    pub interpolation: Interpolation,
    /// Where the centre is.
    pub crop: CropOffset,
    /// Grey value of what the image does not cover.
    pub fill: u8,
    /// Factor from bytes to the scale of `mean` and `std`.
    pub rescale: f64,
    /// Subtracted from each channel (red, green, blue), after `rescale`.
    pub mean: [f32; 3],
    /// Divides each channel, after the subtraction.
    pub std: [f32; 3],
}

/// How an image of any size is brought to the size of the input. What is larger then is cropped to its
/// centre, what is smaller is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The shorter side becomes this long, the longer in proportion, truncated to whole pixels.
    Shortest(u32),
    /// The longer side becomes as long as the input, the shorter in proportion, rounded.
    Longest,
    /// Both sides become as long as the input: the image is stretched.
    Squash,
    /// Nothing is resized.
    Keep,
}

/// How the offset of the centre is rounded where an odd number of pixels is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CropOffset {
    /// A half to the even neighbour, as torchvision does it, and with it OpenAI's CLIP.
    HalfToEven,
    /// Down, as transformers does it.
    Down,
}

/// Mean of each colour channel (red, green, blue), on the scale 0..1, of the images that OpenAI's
/// CLIP was trained on.
pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of each colour channel of these images.
#[allow(clippy::excessive_precision, reason = "the digits as published")]
pub const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

impl Preprocess {
    /// From bytes to the scale 0..1.
    pub const RESCALE: f64 = 1.0 / 255.0;

    /// The preprocessing of OpenAI's CLIP for a resolution.
    pub fn clip(resolution: u32) -> Self {
        Self {
            resolution,
            resize: Resize::Shortest(resolution),
            interpolation: Interpolation::Bicubic,
            crop: CropOffset::HalfToEven,
            fill: 0,
            rescale: Self::RESCALE,
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

    /// The image resized, and its centre as `resolution` x `resolution` bytes; of OpenAI's
    /// preprocessing nothing is stretched or padded. An image that already fits is not resampled.
    ///
    /// # Errors
    /// [`ImageError::Geometry`] where the resolution is zero or the image is too long for it.
    pub fn center(&self, image: &Image) -> Result<Image, ImageError> {
        let (width, height) = self.resized(image)?;
        let (across, left) = self.centre(width);
        let (down, top) = self.centre(height);
        let window = Crop {
            left: across,
            top: down,
            width: width.min(self.resolution),
            height: height.min(self.resolution),
        };
        let centre = resize_window(image, self.interpolation, None, (width, height), window)?;
        if (centre.width(), centre.height()) == (self.resolution, self.resolution) {
            return Ok(centre);
        }
        padded(&centre, self.resolution, left, top, self.fill)
    }

    /// Width and height after resizing.
    fn resized(&self, image: &Image) -> Result<(u32, u32), ImageError> {
        let (width, height) = (image.width(), image.height());
        let refused = |what: &str| {
            ImageError::geometry(format!(
                "an image of {width} x {height} pixels is too long to be resized to {what}"
            ))
        };
        match self.resize {
            Resize::Shortest(size) => {
                let short = u64::from(width.min(height).max(1));
                let side = |length: u32| {
                    u32::try_from(u64::from(size) * u64::from(length) / short)
                        .map_err(|_| refused(&format!("{size} pixels on its shorter side")))
                };
                Ok((side(width)?, side(height)?))
            }
            Resize::Longest => {
                let size = self.resolution;
                let long = f64::from(width.max(height)) / f64::from(size);
                let side = |length: u32| match (f64::from(length) / long).round_ties_even() as u32 {
                    0 => Err(refused(&format!("{size} pixels on its longer side"))),
                    side => Ok(side),
                };
                Ok((side(width)?, side(height)?))
            }
            Resize::Squash => Ok((self.resolution, self.resolution)),
            Resize::Keep => Ok((width, height)),
        }
    }

    /// For a side after resizing: where the centre begins, and where it is placed in the input.
    fn centre(&self, side: u32) -> (u32, u32) {
        let excess = side.saturating_sub(self.resolution);
        let lack = self.resolution.saturating_sub(side);
        match self.crop {
            CropOffset::HalfToEven => (half_to_even(excess), lack / 2),
            CropOffset::Down => (excess / 2, lack.div_ceil(2)),
        }
    }

    /// A part of the image, stretched to `resolution` x `resolution` bytes and mirrored where
    /// `flip` says so, as torchvision's `resized_crop` and `hflip` do.
    ///
    /// # Errors
    /// [`ImageError::Geometry`] where the resolution is zero or the crop leaves the image.
    pub fn cut(&self, image: &Image, crop: Crop, flip: bool) -> Result<Image, ImageError> {
        let (side, interpolation) = (self.resolution, self.interpolation);
        let part = resize(image, interpolation, Some(crop), side, side)?;
        Ok(if flip { part.flipped() } else { part })
    }

    /// Bytes to `(byte * rescale - mean) / std` in `f32`, channel first: `[3, height, width]`.
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
            let table: [f32; 256] = std::array::from_fn(|byte| (self.scaled(byte) - mean) / std);
            batch.extend(
                pixels
                    .iter()
                    .map(|pixel| table[usize::from(pixel[channel])]),
            );
        }
    }

    fn scaled(&self, byte: usize) -> f32 {
        match self.rescale == Self::RESCALE {
            true => byte as f32 / 255.0,
            false => (byte as f64 * self.rescale) as f32,
        }
    }
}

/// An image at a place in a square of one grey value; it may be smaller than the square.
fn padded(image: &Image, side: u32, left: u32, top: u32, fill: u8) -> Result<Image, ImageError> {
    let (side, left, top) = (side as usize, left as usize, top as usize);
    let width = image.width() as usize;
    let mut pixels = vec![fill; 3 * side * side];
    for (row, source) in pixels
        .chunks_exact_mut((3 * side).max(1))
        .skip(top)
        .zip(image.pixels().chunks_exact((3 * width).max(1)))
    {
        row[3 * left..3 * (left + width)].copy_from_slice(source);
    }
    Image::new(side as u32, side as u32, pixels)
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shortest(size) => write!(f, "shortest side {size}"),
            Self::Longest => f.write_str("longest side"),
            Self::Squash => f.write_str("squash"),
            Self::Keep => f.write_str("none"),
        }
    }
}

impl fmt::Display for CropOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HalfToEven => "half to even",
            Self::Down => "down",
        })
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
