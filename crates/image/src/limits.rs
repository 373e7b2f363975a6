//! How large an image may be before it is refused.

use crate::{ImageError, budget};

/// How large an image may be, checked before memory is allocated for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of pixels, width x height. The default, 178,956,970, is also the number
    /// above which Pillow refuses an image (`DecompressionBombError`).
    pub max_pixels: u64,
    /// Largest size of a file in bytes. The default is 1 GiB.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 2 * 89_478_485,
            max_bytes: 1 << 30,
        }
    }
}

impl Limits {
    /// Fails where a file has too many bytes.
    pub(crate) fn check_bytes(&self, bytes: u64) -> Result<(), ImageError> {
        if bytes > self.max_bytes {
            return Err(ImageError::TooManyBytes {
                bytes,
                limit: self.max_bytes,
            });
        }
        Ok(())
    }

    /// Fails where the dimensions that a header announces are zero or too many pixels; takes the pixels from
    /// the budget of all threads.
    pub(crate) fn check_pixels(&self, width: u32, height: u32) -> Result<(), ImageError> {
        self.check_dimensions(width, height)?;
        budget::take(u64::from(width) * u64::from(height));
        Ok(())
    }

    /// Fails where dimensions are zero or too many pixels.
    pub(crate) fn check_dimensions(&self, width: u32, height: u32) -> Result<(), ImageError> {
        if width == 0 || height == 0 {
            return Err(ImageError::geometry(format!(
                "its header announces {width} x {height} pixels: the image is empty"
            )));
        }
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(ImageError::TooManyPixels {
                width,
                height,
                limit: self.max_pixels,
            });
        }
        Ok(())
    }
}
