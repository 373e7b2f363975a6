//! `promptsrc eval`: evaluates an adapter, or zero-shot CLIP, on labelled images.

use promptsrc::{Classifier, Evaluation, Item, missing_warning, overlap_warnings};

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{EvalSettings, Evaluated, decoding_threads};

pub fn run(settings: EvalSettings, printer: &Printer) -> Result<(), Failure> {
    let evaluation = evaluation(settings, printer)?;
    // A table of more classes is too long to be useful.
    const TABLE: usize = 50;
    printer.answer(&evaluation, || match evaluation.per_class.len() {
        0..=TABLE => format!("{evaluation:#}"),
        _ => format!("{evaluation}"),
    })
}

fn evaluation(settings: EvalSettings, printer: &Printer) -> Result<Evaluation, Failure> {
    let (dataset, _) = settings.data.read(printer)?;
    let subset = dataset.whole().select(settings.classes)?;
    subset.check_classes()?;
    let images = subset.images(settings.part, settings.data.allow_missing)?;
    if let Some(warning) = missing_warning(&subset, settings.part, &images) {
        printer.warning(&warning);
    }
    if let Some(warning) = subset.bare_classes(settings.part) {
        printer.warning(&warning);
    }
    let (names, items) = (&subset.class_names, &images.items);
    match settings.what {
        Evaluated::Adapter(source) => {
            let loaded = source.load(printer)?;
            let meta = &loaded.adapter.meta;
            for warning in overlap_warnings(meta, &subset, settings.part, items) {
                printer.warning(&warning);
            }
            measure(
                &loaded.adapter.classifier(&loaded.clip, names)?,
                items,
                printer,
            )
        }
        Evaluated::ZeroShot { clip, templates } => {
            let templates = templates.of(&dataset.name)?;
            let clip = clip.open(printer)?;
            measure(
                &Classifier::zero_shot(&clip, names, &templates)?,
                items,
                printer,
            )
        }
    }
}

fn measure(
    classifier: &Classifier,
    items: &[Item],
    printer: &Printer,
) -> Result<Evaluation, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let evaluation = classifier.evaluate(items, decoding_threads(), &mut |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(evaluation)
}
