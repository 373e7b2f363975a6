//! Measures a classifier on labelled images.

use promptsrc_clip::ClipModel;
use promptsrc_datasets::{Batch, DataError, EvalLoader, Item, LoaderOptions};

use crate::methods::Classify;
use crate::metrics::{Evaluation, EvaluationBuilder, MetricsError};
use crate::train::preprocess;

/// Images that are classified at once; does not change the numbers.
const BATCH: usize = 32;

/// A measurement that failed.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// An image.
    #[error(transparent)]
    Load(#[from] DataError),
    /// There are no images, or the classifier gave values that are not finite.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// Classifies `items`, whose labels count in the classifier's names, and measures the result.
/// `progress` is told the number of images done after each batch.
pub fn evaluate(
    clip: &ClipModel,
    classifier: &dyn Classify,
    items: &[Item],
    threads: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, EvaluateError> {
    let classes = classifier.names().len();
    let mut builder = EvaluationBuilder::new(classifier.names().to_vec());
    let options = LoaderOptions {
        threads,
        ..LoaderOptions::new(BATCH)
    };
    let loader = EvalLoader::new(items.to_vec(), preprocess(clip), options)?;
    let mut done = 0;
    for batch in loader.batches() {
        let Batch { images, labels, .. } = batch?;
        let logits = classifier.logits(images, labels.len());
        for (label, row) in labels.iter().zip(logits.chunks_exact(classes)) {
            builder.add(*label, row)?;
        }
        done += labels.len();
        progress(done);
    }
    Ok(builder.finish()?)
}
