//! An image that is drawn when it is loaded, instead of read from a file.

use std::sync::Arc;

use promptsrc_image::Image;

/// A function that draws one image, always the same. Worker threads call it.
#[derive(Clone)]
pub struct Drawing(Arc<dyn Fn() -> Image + Send + Sync>);

impl Drawing {
    /// The drawing of a function.
    pub fn new(draw: impl Fn() -> Image + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    /// Draws the image.
    pub fn draw(&self) -> Image {
        (self.0)()
    }
}

/// Always equal, because functions cannot be compared; the names of items differ instead.
impl PartialEq for Drawing {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Drawing {}

impl std::fmt::Debug for Drawing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Drawing")
    }
}
