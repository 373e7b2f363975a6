//! An image as a PNG file.

use std::io;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::Image;

impl Image {
    /// The bytes of a PNG file of the image, 8 bits per channel.
    ///
    /// # Errors
    /// What the encoder says, which holds it in memory.
    pub fn png(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(
                self.pixels(),
                self.width(),
                self.height(),
                ExtendedColorType::Rgb8,
            )
            .map_err(io::Error::other)?;
        Ok(bytes)
    }
}
