//! A square of colours to paint on.

use promptsrc_image::Image;

use crate::colour::{BLACK, Rgb, blend};
use crate::shape::Shape;

/// Pixels per side of the images in the data sets.
pub const SIDE: u32 = 48;

/// A square image that is being painted, colours in `f32`.
#[derive(Clone)]
pub(crate) struct Canvas {
    pub(crate) side: usize,
    pub(crate) pixels: Vec<Rgb>,
}

impl Canvas {
    pub(crate) fn new(side: usize) -> Self {
        Self {
            side,
            pixels: vec![BLACK; side * side],
        }
    }

    /// Pixels of this canvas per pixel of a canvas of [`SIDE`] pixels: what lengths scale with.
    pub(crate) fn unit(&self) -> f32 {
        self.side as f32 / SIDE as f32
    }

    /// Gives every pixel the colour that `paint` makes of its place and its current colour.
    pub(crate) fn paint(&mut self, mut paint: impl FnMut(usize, usize, Rgb) -> Rgb) {
        for (y, row) in self.pixels.chunks_exact_mut(self.side).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = paint(x, y, *pixel);
            }
        }
    }

    /// Paints where the shape is, as opaquely as it covers each pixel.
    pub(crate) fn paint_masked(
        &mut self,
        shape: &Shape,
        mut colour: impl FnMut(usize, usize) -> Rgb,
    ) {
        let side = self.side;
        let (top, bottom) = shape.rows();
        let rows = self.pixels.chunks_exact_mut(side);
        let covers = shape.covers().chunks_exact(side);
        for (y, (row, cover)) in rows.zip(covers).enumerate().take(bottom).skip(top) {
            for (x, (pixel, cover)) in row.iter_mut().zip(cover).enumerate() {
                if *cover > 0 {
                    *pixel = blend(*pixel, colour(x, y), f32::from(*cover) / 255.0);
                }
            }
        }
    }

    /// The colour at a place; outside the canvas that of the nearest pixel.
    pub(crate) fn at(&self, x: isize, y: isize) -> Rgb {
        let last = self.side as isize - 1;
        let (x, y) = (x.clamp(0, last) as usize, y.clamp(0, last) as usize);
        self.pixels[y * self.side + x]
    }

    /// The image in bytes.
    pub(crate) fn into_image(self) -> Image {
        let bytes = self
            .pixels
            .iter()
            .flatten()
            .map(|c| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
            .collect();
        let side = self.side as u32;
        Image::new(side, side, bytes).expect("three bytes per pixel, and at least one pixel")
    }
}
