//! One labelled image of a data set.

use std::path::PathBuf;

use promptsrc_image::{Image, ImageError, Limits, open, open_upright};

use crate::Drawing;

/// One labelled image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The image's file; for a drawn image, a unique name.
    pub path: PathBuf,
    /// Its class: an index into [`Dataset::class_names`](crate::Dataset::class_names).
    pub label: usize,
    /// Whether the file existed when the data set was read.
    pub presence: Presence,
    /// What draws the image, if it is not in a file.
    pub drawing: Option<Drawing>,
    /// Whether the image is turned by its EXIF orientation, which the reference ignores.
    pub upright: bool,
}

impl Item {
    /// An image whose file is assumed to exist.
    pub fn new(path: impl Into<PathBuf>, label: usize) -> Self {
        Self {
            path: path.into(),
            label,
            presence: Presence::Present,
            drawing: None,
            upright: false,
        }
    }

    /// An image that is drawn when it is loaded; `name` identifies it, as a path would.
    pub fn drawn(name: impl Into<PathBuf>, label: usize, drawing: Drawing) -> Self {
        Self {
            drawing: Some(drawing),
            ..Self::new(name, label)
        }
    }

    /// The same image, turned by its EXIF orientation or not.
    pub fn upright(self, upright: bool) -> Self {
        Self { upright, ..self }
    }

    /// The image itself: decoded from its file within the limits, or drawn.
    ///
    /// # Errors
    /// Any [`ImageError`] of decoding, with the file's name.
    pub fn image(&self, limits: &Limits) -> Result<Image, ImageError> {
        match &self.drawing {
            Some(drawing) => Ok(drawing.draw()),
            None if self.upright => open_upright(&self.path, limits),
            None => open(&self.path, limits),
        }
    }
}

/// Whether a listed file can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// The file exists.
    #[default]
    Present,
    /// The file does not exist.
    Missing,
    /// The file's folder cannot be read for lack of permission.
    Unreadable,
}
