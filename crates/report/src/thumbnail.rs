//! Images made small, as data within the page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use promptsrc_image::{Image, ImageError, Interpolation, resize};

use crate::limits::THUMBNAIL;

/// Sides up to this many pixels are kept as they are.
const SMALL: u32 = 64;
/// Quality of the JPEG, of 100.
const QUALITY: u8 = 80;

/// An image that cannot be made small.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThumbnailError {
    /// It cannot be resized.
    #[error(transparent)]
    Resize(#[from] ImageError),
    /// It cannot be encoded.
    #[error("the thumbnail cannot be encoded: {0}")]
    Encode(#[from] image::ImageError),
}

/// An image as a data URI: within [`THUMBNAIL`] pixels, its sides in proportion; a small one as it is.
///
/// # Errors
/// [`ThumbnailError`].
pub fn thumbnail(image: &Image) -> Result<String, ThumbnailError> {
    let longest = image.width().max(image.height());
    let (kind, bytes) = if longest <= SMALL {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes).write_image(
            image.pixels(),
            image.width(),
            image.height(),
            ExtendedColorType::Rgb8,
        )?;
        ("png", bytes)
    } else {
        let small = match longest > THUMBNAIL {
            true => {
                let side = |length: u32| {
                    let scaled = u64::from(length) * u64::from(THUMBNAIL) / u64::from(longest);
                    u32::try_from(scaled).unwrap_or(THUMBNAIL).max(1)
                };
                let (width, height) = (side(image.width()), side(image.height()));
                &resize(image, Interpolation::Bicubic, None, width, height)?
            }
            false => image,
        };
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY).write_image(
            small.pixels(),
            small.width(),
            small.height(),
            ExtendedColorType::Rgb8,
        )?;
        ("jpeg", bytes)
    };
    Ok(format!(
        "data:image/{kind};base64,{}",
        STANDARD.encode(bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use promptsrc_image::{Limits, decode};

    fn decoded(uri: &str) -> Image {
        let (_, data) = uri.split_once(";base64,").expect("data");
        let bytes = STANDARD.decode(data).expect("base64");
        decode(&bytes, &Limits::default()).expect("an image")
    }

    #[test]
    fn a_large_image_becomes_small_and_keeps_its_proportions() {
        let grey = Image::new(1000, 250, vec![128; 3 * 250_000]).expect("an image");
        let uri = thumbnail(&grey).expect("a thumbnail");
        assert!(uri.starts_with("data:image/jpeg;base64,") && uri.len() < 4000);
        let small = decoded(&uri);
        assert_eq!((small.width(), small.height()), (160, 40));
        assert!(small.pixels().iter().all(|byte| byte.abs_diff(128) <= 1));
        // A line is not lost.
        let line = Image::new(5000, 1, vec![9; 15_000]).expect("an image");
        let small = decoded(&thumbnail(&line).expect("a thumbnail"));
        assert_eq!((small.width(), small.height()), (160, 1));
    }

    #[test]
    fn a_small_image_keeps_its_pixels() {
        let pixels: Vec<u8> = (0..3 * 48 * 48).map(|i| (i % 251) as u8).collect();
        let image = Image::new(48, 48, pixels).expect("an image");
        let uri = thumbnail(&image).expect("a thumbnail");
        assert!(uri.starts_with("data:image/png;base64,"));
        assert!(decoded(&uri) == image);
    }
}
