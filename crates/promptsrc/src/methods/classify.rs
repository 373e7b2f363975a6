//! A classifier of any method, as an evaluation sees it.

use crate::classifier::Classifier;

/// Tells images apart among a list of class names.
pub trait Classify {
    /// The class names, in the order of the logits.
    fn names(&self) -> &[String];

    /// Logits of images, row-major `[batch, classes]`. `images`: `batch` normalised images
    /// `[3, resolution, resolution]`, one after another.
    fn logits(&self, images: Vec<f32>, batch: usize) -> Vec<f32>;
}

impl Classify for Classifier<'_> {
    fn names(&self) -> &[String] {
        self.names()
    }

    fn logits(&self, images: Vec<f32>, batch: usize) -> Vec<f32> {
        self.logits(images, batch)
    }
}
