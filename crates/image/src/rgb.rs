//! An image in memory: RGB bytes, width and height.

use crate::ImageError;

/// An RGB image, 8 bits per channel, `[height, width, 3]` interleaved and without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Image {
    /// An image of the given bytes, `[height, width, 3]`.
    ///
    /// # Errors
    /// [`ImageError::Geometry`] where a side is zero or the bytes are not `3 * width * height`.
    pub fn new(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, ImageError> {
        let expected = 3 * u128::from(width) * u128::from(height);
        if expected == 0 {
            return Err(ImageError::geometry(format!(
                "an image of {width} x {height} pixels has no content"
            )));
        }
        if pixels.len() as u128 != expected {
            return Err(ImageError::geometry(format!(
                "an image of {width} x {height} pixels needs {expected} bytes, found {}",
                pixels.len()
            )));
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes, `[height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes, `[height, width, 3]`, without a copy.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// The bytes of the channel-first layout, `[3, height, width]`.
    pub fn to_planes(&self) -> Vec<u8> {
        (0..3)
            .flat_map(|c| self.pixels.iter().skip(c).step_by(3).copied())
            .collect()
    }

    /// The whole image as a [`Crop`].
    pub fn whole(&self) -> Crop {
        Crop {
            left: 0,
            top: 0,
            width: self.width,
            height: self.height,
        }
    }

    /// The same image mirrored left to right.
    pub fn flipped(mut self) -> Self {
        for row in self.pixels.chunks_exact_mut(3 * self.width as usize) {
            row.reverse();
            // Reversing the bytes reversed the channels of each pixel too.
            for pixel in row.chunks_exact_mut(3) {
                pixel.swap(0, 2);
            }
        }
        self
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({} x {})", self.width, self.height)
    }
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Crop {
    /// Pixels between the image's left edge and the rectangle's.
    pub left: u32,
    /// Pixels between the image's top edge and the rectangle's.
    pub top: u32,
    /// Extent to the right, in pixels.
    pub width: u32,
    /// Extent downwards, in pixels.
    pub height: u32,
}

impl Crop {
    /// Fails where the rectangle is empty or leaves an area of `width` x `height` pixels.
    pub(crate) fn check_within(&self, width: u32, height: u32) -> Result<(), ImageError> {
        let fits = |start: u32, extent: u32, size: u32| {
            extent > 0 && start.checked_add(extent).is_some_and(|end| end <= size)
        };
        if fits(self.left, self.width, width) && fits(self.top, self.height, height) {
            Ok(())
        } else {
            Err(ImageError::geometry(format!(
                "the rectangle of {} x {} pixels at ({}, {}) is empty or leaves the {width} x \
                 {height} pixels it is cut from",
                self.width, self.height, self.left, self.top
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flipping_mirrors_pixels_and_keeps_channel_order() {
        let image = Image::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(image.clone().flipped().pixels(), [4, 5, 6, 1, 2, 3]);
        assert_eq!(image.clone().flipped().flipped(), image);
    }

    #[test]
    fn planes_are_channel_first() {
        let image = Image::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(image.to_planes(), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn wrong_extents_are_refused() {
        assert!(Image::new(0, 4, vec![]).is_err());
        assert!(Image::new(2, 2, vec![0; 11]).is_err());
        assert!(Image::new(u32::MAX, u32::MAX, vec![]).is_err());
    }
}
