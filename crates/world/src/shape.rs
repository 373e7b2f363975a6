//! Shapes to paint with: which pixels are covered, and polygons to fill or stroke.

use tiny_skia::{FillRule, LineJoin, Mask, Path, PathBuilder, Stroke, Transform};

/// Which pixels a shape covers, and how much of each.
pub(crate) struct Shape {
    mask: Mask,
    /// First row that may be covered, and the first after them that is not.
    rows: (usize, usize),
}

impl Shape {
    /// An empty shape.
    pub(crate) fn new(side: usize) -> Self {
        let side = side as u32;
        Self {
            mask: Mask::new(side, side).expect("a canvas has at least one pixel"),
            rows: (0, 0),
        }
    }

    /// First row that may be covered, and the first after them that is not.
    pub(crate) fn rows(&self) -> (usize, usize) {
        self.rows
    }

    /// How much of each pixel it covers, 0 to 255, row by row.
    pub(crate) fn covers(&self) -> &[u8] {
        self.mask.data()
    }

    fn clear(&mut self) {
        self.mask.clear();
        self.rows = (0, 0);
    }

    /// Becomes the inside of polygons.
    pub(crate) fn fill(&mut self, polygons: &Outline) {
        self.clear();
        if let Some(path) = &polygons.0 {
            self.add(path);
        }
    }

    /// Becomes the outline of polygons, `width` pixels wide.
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

    /// Adds another shape to it.
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

    /// How much of a pixel it covers, 0 to 1; outside the canvas 0.
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

/// Polygons in pixels, as the rasteriser takes them. Only straight lines: its curves use the
/// platform's trigonometry in places.
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
