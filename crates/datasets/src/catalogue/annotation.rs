//! What is read from a data set's own annotation.

use std::path::PathBuf;

use crate::{Dataset, Item, Presence};

/// What is read from a data set's own annotation: items with paths relative to the image folder.
pub(super) struct Annotation {
    pub(super) dataset: Dataset,
    /// The file or folder that was read.
    pub(super) source: PathBuf,
    /// How the parts were generated, if the annotation does not define them.
    pub(super) generated: Option<&'static str>,
    /// Whether the items' presence is known, because they come from a listing of folders.
    pub(super) presence_known: bool,
    /// How many files of class folders do not have the extension of an image.
    pub(super) ignored: usize,
    pub(super) notes: Vec<String>,
}

impl Annotation {
    pub(super) fn new(dataset: Dataset, source: impl Into<PathBuf>) -> Self {
        Self {
            dataset,
            source: source.into(),
            generated: None,
            presence_known: false,
            ignored: 0,
            notes: Vec::new(),
        }
    }
}

/// An image of a list; whether its file exists is checked later.
pub(super) fn listed(path: impl Into<PathBuf>, label: usize) -> Item {
    Item {
        presence: Presence::Missing,
        ..Item::new(path, label)
    }
}
