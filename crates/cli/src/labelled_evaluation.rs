//! An evaluation that keeps the logits of its images.

use promptsrc::calibration::LabelledLogits;
use promptsrc::{Classifier, Item, ReadableEvaluation};

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::decoding_threads;

/// Evaluates a classifier on labelled images, with a progress bar, and says which cannot be decoded. `each` receives
/// the place of every image in `items`, its class and its logits.
///
/// # Errors
/// As [`Classifier::evaluate_rows`].
pub fn evaluate(
    classifier: &Classifier,
    items: &[Item],
    allow_unreadable: bool,
    printer: &Printer,
    each: &mut dyn FnMut(usize, usize, &[f32]),
) -> Result<(ReadableEvaluation, LabelledLogits), Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let mut logits = LabelledLogits::new(classifier.names().len());
    let mut wrong = None;
    let found = classifier.evaluate_rows(
        items,
        decoding_threads(),
        allow_unreadable,
        &mut |done| bar.set_position(done as u64),
        &mut |place, answer, row| {
            if let Err(error) = logits.push(items[place].label, row) {
                wrong = Some(error);
            }
            each(place, answer, row);
        },
    )?;
    bar.finish_and_clear();
    if let Some(error) = wrong {
        return Err(error.into());
    }
    if let Some(warning) = &found.warning {
        printer.warning(warning);
    }
    Ok((found, logits))
}
