//! An image that is made when it is asked for, instead of read from a file.

use std::sync::Arc;

use promptsrc_image::Image;

/// A function that draws one image, the same one each time. Worker threads call it.
#[derive(Clone)]
pub struct Drawing(Arc<dyn Fn() -> Image + Send + Sync>);

impl Drawing {
    /// A drawing by that function.
    pub fn new(draw: impl Fn() -> Image + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    /// Draws it.
    pub fn draw(&self) -> Image {
        (self.0)()
    }
}

/// Functions cannot be compared: the name that an item bears tells its drawing from others.
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
