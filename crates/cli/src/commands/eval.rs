//! `promptsrc eval`: evaluates an adapter, or zero-shot CLIP, on labelled images.

use promptsrc::provenance::{AdapterProvenance, DataProvenance, Provenance};
use promptsrc::records::is_zero;
use promptsrc::{Classifier, Evaluation, Item, Part, missing_warning, overlap_warnings};
use serde::Serialize;

use crate::evaluation_files::{self, Predicted};
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{EvalSettings, Evaluated as What, decoding_threads};

/// An evaluation, how many images it does not cover, and how it was computed.
#[derive(Serialize)]
struct Evaluated {
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
    provenance: Provenance,
    #[serde(skip)]
    predictions: Vec<Predicted>,
}

pub fn run(settings: EvalSettings, printer: &Printer) -> Result<(), Failure> {
    let report_dir = settings.report_dir.clone();
    let evaluated = evaluate(settings, printer)?;
    let evaluation = &evaluated.evaluation;
    if let Some(folder) = report_dir {
        evaluation_files::write(&folder, evaluation, &evaluated.predictions, &evaluated)?;
    }
    // A table of more classes is too long to be useful.
    const TABLE: usize = 50;
    printer.answer(&evaluated, || match evaluation.per_class.len() {
        0..=TABLE => format!("{evaluation:#}"),
        _ => format!("{evaluation}"),
    })
}

fn evaluate(mut settings: EvalSettings, printer: &Printer) -> Result<Evaluated, Failure> {
    if let What::Adapter(source) = &settings.what {
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
    let data = DataProvenance::of(
        &dataset.name,
        settings.part,
        settings.classes,
        &subset,
        items,
    );
    let left_out = LeftOut {
        missing: images.missing,
        allow_unreadable: settings.data.allow_unreadable,
        exif: settings.data.exif.unwrap_or(false),
    };
    match settings.what {
        What::Adapter(source) => {
            let file = source.file().to_path_buf();
            let loaded = source.load(printer)?;
            let meta = &loaded.adapter.meta;
            for warning in overlap_warnings(meta, &subset, part, items) {
                printer.warning(&warning);
            }
            let mut provenance = Provenance::new(&loaded.clip, meta.templates()?);
            let adapter = AdapterProvenance::of(&file, &meta.method, &meta.precision)
                .map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
            provenance.adapter = Some(adapter);
            provenance.data = Some(data);
            let classifier = loaded
                .adapter
                .classifier(&loaded.clip, names)?
                .cached_head(&loaded.clip);
            measure(&classifier, items, &left_out, provenance, printer)
        }
        What::ZeroShot { clip, templates } => {
            let templates = templates.of(&dataset.name)?;
            let clip = clip.open(printer)?;
            let bar = printer.bar((names.len() * templates.len()) as u64, "texts");
            let classifier =
                Classifier::zero_shot_with(&clip, names, &templates, &mut |done, _| {
                    bar.set_position(done as u64);
                })?;
            bar.finish_and_clear();
            let mut provenance = Provenance::new(&clip, templates);
            provenance.data = Some(data);
            measure(&classifier, items, &left_out, provenance, printer)
        }
    }
}

/// Which images an evaluation does not cover, and how it reads the others.
struct LeftOut {
    missing: usize,
    allow_unreadable: bool,
    exif: bool,
}

fn measure(
    classifier: &Classifier,
    items: &[Item],
    left_out: &LeftOut,
    provenance: Provenance,
    printer: &Printer,
) -> Result<Evaluated, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let mut predictions = Vec::with_capacity(items.len());
    let found = classifier.evaluate_each(
        items,
        decoding_threads(),
        left_out.allow_unreadable,
        &mut |done| bar.set_position(done as u64),
        &mut |item, answer, probability| {
            predictions.push(Predicted {
                path: item.path.clone(),
                label: item.label,
                answer,
                probability,
            });
        },
    )?;
    bar.finish_and_clear();
    if let Some(warning) = &found.warning {
        printer.warning(warning);
    }
    Ok(Evaluated {
        evaluation: found.evaluation,
        missing: left_out.missing,
        unreadable: found.unreadable.len(),
        exif: left_out.exif,
        provenance,
        predictions,
    })
}
