//! `promptsrc eval`: evaluates an adapter, or zero-shot CLIP, on labelled images.

use promptsrc::provenance::{AdapterProvenance, DataProvenance, Provenance};
use promptsrc::{Classifier, Evaluation, Item, missing_warning, overlap_warnings};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::report::{self, Predicted};
use crate::settings::{EvalSettings, Evaluated as What, decoding_threads};

/// An evaluation and how it was computed.
#[derive(Serialize)]
struct Evaluated {
    #[serde(flatten)]
    evaluation: Evaluation,
    provenance: Provenance,
    #[serde(skip)]
    predictions: Vec<Predicted>,
}

pub fn run(settings: EvalSettings, printer: &Printer) -> Result<(), Failure> {
    let report_dir = settings.report_dir.clone();
    let evaluated = evaluate(settings, printer)?;
    let evaluation = &evaluated.evaluation;
    if let Some(folder) = report_dir {
        report::write(&folder, evaluation, &evaluated.predictions, &evaluated)?;
    }
    // A table of more classes is too long to be useful.
    const TABLE: usize = 50;
    printer.answer(&evaluated, || match evaluation.per_class.len() {
        0..=TABLE => format!("{evaluation:#}"),
        _ => format!("{evaluation}"),
    })
}

fn evaluate(settings: EvalSettings, printer: &Printer) -> Result<Evaluated, Failure> {
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
    let data = DataProvenance::of(
        &dataset.name,
        settings.part,
        settings.classes,
        &subset,
        items,
    );
    match settings.what {
        What::Adapter(source) => {
            let file = source.file().to_path_buf();
            let loaded = source.load(printer)?;
            let meta = &loaded.adapter.meta;
            for warning in overlap_warnings(meta, &subset, settings.part, items) {
                printer.warning(&warning);
            }
            let prefix = meta.prompt_model()?.prompt_prefix();
            let mut provenance = Provenance::new(&loaded.clip, vec![format!("{prefix} {{}}.")]);
            let adapter = AdapterProvenance::of(&file, &meta.method, &meta.precision)
                .map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
            provenance.adapter = Some(adapter);
            provenance.data = Some(data);
            let classifier = loaded.adapter.classifier(&loaded.clip, names)?;
            measure(&classifier, items, provenance, printer)
        }
        What::ZeroShot { clip, templates } => {
            let templates = templates.of(&dataset.name)?;
            let clip = clip.open(printer)?;
            let classifier = Classifier::zero_shot(&clip, names, &templates)?;
            let mut provenance = Provenance::new(&clip, templates);
            provenance.data = Some(data);
            measure(&classifier, items, provenance, printer)
        }
    }
}

fn measure(
    classifier: &Classifier,
    items: &[Item],
    provenance: Provenance,
    printer: &Printer,
) -> Result<Evaluated, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let mut predictions = Vec::with_capacity(items.len());
    let evaluation = classifier.evaluate_each(
        items,
        decoding_threads(),
        &mut |item, answer, probability| {
            bar.inc(1);
            predictions.push(Predicted {
                path: item.path.clone(),
                label: item.label,
                answer,
                probability,
            });
        },
    )?;
    bar.finish_and_clear();
    Ok(Evaluated {
        evaluation,
        provenance,
        predictions,
    })
}
