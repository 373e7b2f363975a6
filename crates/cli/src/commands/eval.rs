//! `promptsrc eval`: evaluates an adapter, or zero-shot CLIP, on labelled images.

use promptsrc::{Classifier, Evaluation, Item, Part, missing_warning, overlap_warnings};
use promptsrc_datasets::unreadable_warning;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{EvalSettings, Evaluated, decoding_threads};

/// An evaluation, and how many images it does not cover.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    evaluation: Evaluation,
    /// Images that are missing and were left out.
    #[serde(skip_serializing_if = "is_zero")]
    missing: usize,
    /// Images that could not be decoded and were left out.
    #[serde(skip_serializing_if = "is_zero")]
    unreadable: usize,
    /// Whether the images were turned by their EXIF orientation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exif: bool,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub fn run(settings: EvalSettings, printer: &Printer) -> Result<(), Failure> {
    let answer = evaluation(settings, printer)?;
    let evaluation = &answer.evaluation;
    // A table of more classes is too long to be useful.
    const TABLE: usize = 50;
    printer.answer(&answer, || match evaluation.per_class.len() {
        0..=TABLE => format!("{evaluation:#}"),
        _ => format!("{evaluation}"),
    })
}

fn evaluation(mut settings: EvalSettings, printer: &Printer) -> Result<Answer, Failure> {
    if let Evaluated::Adapter(source) = &settings.what {
        settings.data.exif = Some(source.exif(settings.data.exif, printer));
    }
    let (dataset, _) = settings.data.read(printer)?;
    let subset = dataset.whole().select(settings.classes)?;
    let (subset, part) = match settings.part.one() {
        Some(part) => (subset, part),
        None => {
            let subset = subset.all_as_test();
            let count = subset.samples(Part::Test).len();
            printer.note(&format!(
                "all {count} images of {}, whatever their part, are taken as test images",
                subset.data_set
            ));
            (subset, Part::Test)
        }
    };
    subset.check_classes()?;
    let images = subset.images(part, settings.data.allow_missing)?;
    if let Some(warning) = missing_warning(&subset, part, &images) {
        printer.warning(&warning);
    }
    if let Some(warning) = subset.bare_classes(part) {
        printer.warning(&warning);
    }
    let (names, items) = (&subset.class_names, &images.items);
    let allow_unreadable = settings.data.allow_unreadable;
    let (evaluation, unreadable) = match settings.what {
        Evaluated::Adapter(source) => {
            let loaded = source.load(printer)?;
            let meta = &loaded.adapter.meta;
            for warning in overlap_warnings(meta, &subset, part, items) {
                printer.warning(&warning);
            }
            measure(
                &loaded.adapter.classifier(&loaded.clip, names)?,
                items,
                allow_unreadable,
                printer,
            )
        }
        Evaluated::ZeroShot { clip, templates } => {
            let templates = templates.of(&dataset.name)?;
            let clip = clip.open(printer)?;
            measure(
                &Classifier::zero_shot(&clip, names, &templates)?,
                items,
                allow_unreadable,
                printer,
            )
        }
    }?;
    Ok(Answer {
        evaluation,
        missing: images.missing,
        unreadable,
        exif: settings.data.exif.unwrap_or(false),
    })
}

/// The evaluation, and how many images could not be decoded and were left out.
fn measure(
    classifier: &Classifier,
    items: &[Item],
    allow_unreadable: bool,
    printer: &Printer,
) -> Result<(Evaluation, usize), Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let mut progress = |done| bar.set_position(done as u64);
    let (evaluation, failures) = match allow_unreadable {
        true => classifier.evaluate_readable(items, decoding_threads(), &mut progress)?,
        false => {
            let evaluation = classifier.evaluate(items, decoding_threads(), &mut progress)?;
            (evaluation, Vec::new())
        }
    };
    bar.finish_and_clear();
    let unreadable = failures.len();
    let errors = failures.into_iter().map(|(_, error)| error).collect();
    if let Some(warning) = unreadable_warning(errors, items.len(), allow_unreadable)? {
        printer.warning(&warning);
    }
    Ok((evaluation, unreadable))
}
