//! A square of colours to paint on.

use promptsrc_image::Image;
use tiny_skia::{FillRule, LineJoin, Mask, Path, PathBuilder, Stroke, Transform};

use crate::colour::{BLACK, Rgb, blend};

/// A square image in the making, colours in `f32`.
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

    /// Gives every pixel the colour that `paint` makes of its place and its present colour.
    pub(crate) fn paint(&mut self, mut paint: impl FnMut(usize, usize, Rgb) -> Rgb) {
        for (y, row) in self.pixels.chunks_exact_mut(self.side).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = paint(x, y, *pixel);
            }
        }
    }

    /// Paints where the mask is, as opaquely as it says.
    pub(crate) fn paint_masked(
        &mut self,
        mask: &Shape,
        mut colour: impl FnMut(usize, usize) -> Rgb,
    ) {
        let side = self.side;
        let (top, bottom) = mask.rows;
        let rows = self.pixels.chunks_exact_mut(side);
        let covers = mask.mask.data().chunks_exact(side);
        for (y, (row, cover)) in rows.zip(covers).enumerate().take(bottom).skip(top) {
            for (x, (pixel, cover)) in row.iter_mut().zip(cover).enumerate() {
                if *cover > 0 {
                    *pixel = blend(*pixel, colour(x, y), f32::from(*cover) / 255.0);
                }
            }
        }
    }

    /// The colour at a place; the border's where that is outside.
    pub(crate) fn at(&self, x: isize, y: isize) -> Rgb {
        let last = self.side as isize - 1;
        let (x, y) = (x.clamp(0, last) as usize, y.clamp(0, last) as usize);
        self.pixels[y * self.side + x]
    }

    /// Bytes.
    pub(crate) fn into_image(self) -> Image {
        let bytes = self
            .pixels
            .iter()
            .flatten()
            .map(|c| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8)
            .collect();
        let side = self.side as u32;
        Image::new(side, side, bytes).expect("three bytes a pixel, and at least one pixel")
    }
}

/// Which pixels a shape covers, and how much of each.
pub(crate) struct Shape {
    mask: Mask,
    /// First row that may be covered, and the first after them that is not.
    rows: (usize, usize),
}

impl Shape {
    /// Nothing.
    pub(crate) fn new(side: usize) -> Self {
        let side = side as u32;
        Self {
            mask: Mask::new(side, side).expect("a canvas has at least one pixel"),
            rows: (0, 0),
        }
    }

    fn clear(&mut self) {
        self.mask.clear();
        self.rows = (0, 0);
    }

    /// Becomes the inside of polygons, in pixels.
    pub(crate) fn fill(&mut self, polygons: &Outline) {
        self.clear();
        if let Some(path) = &polygons.0 {
            self.add(path);
        }
    }

    /// Becomes the outline of polygons, in pixels.
    pub(crate) fn stroke(&mut self, polygons: &Outline, width: f32) {
        self.clear();
        let stroke = Stroke {
            width,
            line_join: LineJoin::Bevel,
            ..Stroke::default()
        };
        let path = polygons.0.as_ref().and_then(|p| p.stroke(&stroke, 1.0));
        if let Some(path) = path {
            self.add(&path);
        }
    }

    fn add(&mut self, path: &Path) {
        let bounds = path.bounds();
        let side = self.mask.height() as usize;
        let top = (bounds.top().floor().max(0.0) as usize).min(side);
        let bottom = (bounds.bottom().ceil().max(0.0) as usize + 1).min(side);
        self.rows = (top, bottom);
        self.mask
            .fill_path(path, FillRule::Winding, true, Transform::identity());
    }

    /// Joins another one to it.
    pub(crate) fn join(&mut self, other: &Self) {
        self.rows = if self.rows.1 == 0 {
            other.rows
        } else {
            (self.rows.0.min(other.rows.0), self.rows.1.max(other.rows.1))
        };
        for (a, b) in self.mask.data_mut().iter_mut().zip(other.mask.data()) {
            *a = (*a).max(*b);
        }
    }

    /// How much of a pixel it covers, 0 to 1; nothing outside.
    pub(crate) fn cover(&self, x: isize, y: isize) -> f32 {
        let side = self.mask.width() as isize;
        if x < 0 || y < 0 || x >= side || y >= side {
            return 0.0;
        }
        self.mask
            .data()
            .get((y * side + x) as usize)
            .map_or(0.0, |c| f32::from(*c) / 255.0)
    }
}

/// Polygons in pixels, as the rasteriser takes them. Straight lines only: its way with curves goes
/// through the platform's trigonometry in places.
pub(crate) struct Outline(Option<Path>);

impl Outline {
    pub(crate) fn new<'a>(
        polygons: impl IntoIterator<Item = &'a Vec<[f32; 2]>>,
        place: impl Fn([f32; 2]) -> [f32; 2],
    ) -> Self {
        let mut path = PathBuilder::new();
        for polygon in polygons {
            for (i, point) in polygon.iter().enumerate() {
                let [x, y] = place(*point);
                if i == 0 {
                    path.move_to(x, y);
                } else {
                    path.line_to(x, y);
                }
            }
            path.close();
        }
        Self(path.finish())
    }
}
