//! Batches of images that are prepared for a CLIP, for evaluation, prediction and embedding.

use std::path::PathBuf;

use promptsrc_clip::ClipModel;
use promptsrc_datasets::{Batch, Batches, DataError, EvalLoader, Item, LoaderOptions};
use promptsrc_image::ImageError;

use crate::clip::preprocess;

/// Images per batch; does not affect the results.
const BATCH: usize = 32;

/// The images of a list in order, decoded ahead of time.
#[derive(Debug)]
pub struct ImageBatches {
    loader: EvalLoader,
    batches: Batches,
}

impl ImageBatches {
    /// Prepares images for a CLIP with this number of decoding threads (0: one per core).
    ///
    /// # Errors
    /// [`DataError::Threads`] if the threads cannot be started.
    pub fn new(clip: &ClipModel, items: Vec<Item>, threads: usize) -> Result<Self, DataError> {
        let options = LoaderOptions {
            threads,
            ..LoaderOptions::new(BATCH)
        };
        let loader = EvalLoader::new(items, preprocess(clip), options)?;
        Ok(Self {
            batches: loader.batches(),
            loader,
        })
    }

    /// The next batch: the images that can be decoded, and the indices and errors of the others.
    pub fn next_with_failures(&mut self) -> Option<(Batch, Vec<(usize, ImageError)>)> {
        self.batches.next_with_failures()
    }

    /// The file at an index of the list.
    pub fn path(&self, index: usize) -> PathBuf {
        let item = self.loader.items().get(index);
        item.map(|item| item.path.clone()).unwrap_or_default()
    }
}

impl Iterator for ImageBatches {
    type Item = Result<Batch, DataError>;

    /// The next batch, or an error that names all of its images that cannot be decoded.
    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}
