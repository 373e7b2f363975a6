//! `promptsrc eval`: evaluates an adapter, or zero-shot CLIP, on labelled images.

use std::path::PathBuf;

use promptsrc::calibration::{
    CalibratedFigures, CalibrationSubject, LabelledLogits, Temperature, UnknownFigures,
    brier_score, calibrated_figures, negative_log_likelihood, unknown_figures,
};
use promptsrc::provenance::{AdapterProvenance, DataProvenance, Provenance};
use promptsrc::records::is_zero;
use promptsrc::{Classifier, Evaluation, Item, Part, Parts, missing_warning, overlap_warnings};
use promptsrc_datasets::same_names;
use serde::Serialize;

use crate::evaluation_files::{self, Predicted};
use crate::failure::Failure;
use crate::labelled_evaluation;
use crate::output::Printer;
use crate::settings::{
    CalibrationSettings, EvalSettings, Evaluated as What, InUse, UnknownImages, UsedCalibration,
    decoding_threads, images_of,
};

/// An evaluation, how many images it does not cover, and how it was computed.
#[derive(Serialize)]
struct Evaluated {
    #[serde(flatten)]
    evaluation: Evaluation,
    /// Of the answers as they are, like the evaluation.
    negative_log_likelihood: f64,
    /// Sum over the classes, from 0 to 2.
    brier_score: f64,
    /// Figures with the calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrated: Option<Calibrated>,
    /// How well unknown classes are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<OfUnknown>,
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

/// Figures with a calibration.
#[derive(Serialize)]
struct Calibrated {
    #[serde(flatten)]
    figures: CalibratedFigures,
    calibration: UsedCalibration,
}

/// How well unknown classes are told.
#[derive(Serialize)]
struct OfUnknown {
    #[serde(flatten)]
    figures: UnknownFigures,
    /// Name of the data set, its part and its classes.
    data: String,
    part: Parts,
    classes: Vec<String>,
}

pub fn run(settings: EvalSettings, printer: &Printer) -> Result<(), Failure> {
    let report_dir = settings.report_dir.clone();
    let evaluated = evaluate(settings, printer)?;
    let evaluation = &evaluated.evaluation;
    if let Some(folder) = report_dir {
        evaluation_files::write(
            &folder,
            evaluation,
            &evaluated.trust(),
            &evaluated.predictions,
            &evaluated,
        )?;
    }
    // A table of more classes is too long to be useful.
    const TABLE: usize = 50;
    printer.answer(&evaluated, || {
        let table = match evaluation.per_class.len() {
            0..=TABLE => format!("{evaluation:#}"),
            _ => format!("{evaluation}"),
        };
        format!("{table}\n\n{}", evaluated.trust())
    })
}

impl Evaluated {
    /// How far the probabilities can be trusted, as text.
    fn trust(&self) -> String {
        let line = |name: &str, before: String, after: Option<String>| {
            let after = after.map_or_else(String::new, |after| format!("  {after:>9}"));
            format!("{name:<23}  {before:>9}{after}\n")
        };
        let after = self.calibrated.as_ref().map(|of| &of.figures);
        let number = |value: f64| format!("{value:.4}");
        let percent = |value: f64| format!("{:.2} %", 100.0 * value);
        let mut text = String::new();
        if let Some(after) = after {
            let own = "as it is".to_string();
            text += &line(
                "",
                own,
                Some(format!("calibrated (temperature {:.4})", after.temperature)),
            );
        }
        text += &line(
            "negative log-likelihood",
            number(self.negative_log_likelihood),
            after.map(|of| number(of.negative_log_likelihood)),
        );
        text += &line(
            "Brier score",
            number(self.brier_score),
            after.map(|of| number(of.brier_score)),
        );
        text += &line(
            "calibration error",
            percent(self.evaluation.calibration_error),
            after.map(|of| percent(of.calibration_error)),
        );
        let sets = after.map(|of| of.sets.as_slice()).unwrap_or_default();
        if !sets.is_empty() {
            text += "\nsets   promised  coverage  mean size  empty\n";
        }
        for set in sets {
            text += &format!(
                "{:<5}  {:>8}  {:>8}  {:>9.3}  {:>5}{}\n",
                set.method,
                percent(set.promised),
                percent(set.coverage),
                set.mean_size,
                set.empty,
                if set.class_conditional {
                    "  for each class"
                } else {
                    ""
                }
            );
        }
        if let Some(unknown) = &self.unknown {
            let of = &unknown.figures;
            text += &format!(
                "\nunknown classes: {} of {} ({} images; {} of known classes)\n\
                 score         AUROC    FPR at 95 % of the known kept\n",
                unknown.classes.len(),
                unknown.data,
                of.unknown,
                of.known
            );
            for score in &of.scores {
                let (auroc, fpr) = (percent(score.auroc), percent(score.fpr_at_95));
                text += &format!("{:<12}  {auroc:>7}  {fpr:>7}\n", score.score);
            }
            if let Some(at) = &of.threshold {
                text += &format!(
                    "at the calibration's threshold ({} {:.8}): {} of the known kept (wanted {}), {} of the \
                     unknown found\n",
                    at.score,
                    at.threshold,
                    percent(at.known_kept),
                    percent(at.keep),
                    percent(at.unknown_found)
                );
            }
        }
        text
    }
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
    let calibration = fresh(settings.calibration, items, printer)?;
    let unknown = match settings.unknown {
        Some(mut unknown) => {
            unknown.data.exif = settings.data.exif;
            Some(unknown_images(&unknown, names, printer)?)
        }
        None => None,
    };
    let measuring = Measuring {
        items,
        left_out,
        unknown,
        logits: settings.logits,
        printer,
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
            let subject = CalibrationSubject::of_adapter(&file, meta, &loaded.clip, names)?;
            let in_use = calibration.of(&subject, measuring.left_out.exif, printer)?;
            measuring.measure(&classifier, in_use, provenance)
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
            let subject = CalibrationSubject::zero_shot(&clip, names, &templates);
            let in_use = calibration.of(&subject, measuring.left_out.exif, printer)?;
            let mut provenance = Provenance::new(&clip, templates);
            provenance.data = Some(data);
            measuring.measure(&classifier, in_use, provenance)
        }
    }
}

/// The calibration, unless it was made from some of these images.
fn fresh(
    calibration: CalibrationSettings,
    items: &[Item],
    printer: &Printer,
) -> Result<CalibrationSettings, Failure> {
    let of = calibration.calibration();
    let known = of.map_or(0, |of| of.record().data.hashes.count_in(items));
    match known {
        0 => Ok(calibration),
        n => calibration.refused(
            &format!(
                "it was made from {n} of these {} images (files of the same content), which would seem better \
                 calibrated than new ones: evaluate on others",
                items.len()
            ),
            printer,
        ),
    }
}

/// Images of unknown classes.
struct Unknown {
    items: Vec<Item>,
    data: String,
    part: Parts,
    classes: Vec<String>,
}

/// The images whose classes are not among the names.
fn unknown_images(
    settings: &UnknownImages,
    known: &[String],
    printer: &Printer,
) -> Result<Unknown, Failure> {
    let (dataset, _) = settings.data.read(printer)?;
    let subset = dataset.whole().select(settings.classes)?;
    let (subset, part) = match settings.part.one() {
        Some(part) => (subset, part),
        None => (subset.all_as_test(), Part::Test),
    };
    let images = subset.images(part, settings.data.allow_missing)?;
    if let Some(warning) = missing_warning(&subset, part, &images) {
        printer.warning(&format!("unknown classes: {warning}"));
    }
    let mut items = images.items;
    // Names that CLIP reads as the same text are the same class.
    let is_known = |name: &String| {
        let pair = |of: &String| !same_names(&[of.clone(), name.clone()]).is_empty();
        known.iter().any(pair)
    };
    let of_known: Vec<bool> = subset.class_names.iter().map(is_known).collect();
    let (before, data) = (items.len(), dataset.name);
    items.retain(|item| !of_known.get(item.label).copied().unwrap_or(true));
    let names = subset.class_names.iter().zip(&of_known);
    let (same, classes): (Vec<_>, Vec<_>) = names.partition(|(_, known)| **known);
    let names = |of: &[(&String, &bool)]| -> Vec<String> {
        of.iter().map(|(name, _)| (*name).clone()).collect()
    };
    if items.is_empty() {
        return Err(Failure::failed(format!(
            "{data} has no {} of unknown classes{}",
            images_of(settings.part),
            if before > 0 {
                ": all its classes are among the known ones"
            } else {
                ""
            }
        )));
    }
    if !same.is_empty() {
        printer.warning(&format!(
            "{} of {before} images of {data} are no unknown ones and left out: their classes are known: {}",
            before - items.len(),
            names(&same).join(", ")
        ));
    }
    Ok(Unknown {
        items,
        data,
        part: settings.part,
        classes: names(&classes),
    })
}

/// Which images an evaluation does not cover, and how it reads the others.
struct LeftOut {
    missing: usize,
    allow_unreadable: bool,
    exif: bool,
}

/// What is measured.
struct Measuring<'a> {
    items: &'a [Item],
    left_out: LeftOut,
    unknown: Option<Unknown>,
    /// File for the logits.
    logits: Option<PathBuf>,
    printer: &'a Printer,
}

impl Measuring<'_> {
    fn measure(
        self,
        classifier: &Classifier,
        in_use: Option<InUse>,
        provenance: Provenance,
    ) -> Result<Evaluated, Failure> {
        let Self {
            items,
            left_out,
            unknown,
            logits: file,
            printer,
        } = self;
        let mut predictions = Vec::with_capacity(items.len());
        let (found, logits) = labelled_evaluation::evaluate(
            classifier,
            items,
            left_out.allow_unreadable,
            printer,
            &mut |place, answer, row| {
                let item = &items[place];
                predictions.push(Predicted {
                    path: item.path.clone(),
                    label: item.label,
                    answer,
                    probability: match &in_use {
                        Some(of) => of.calibration.probabilities(row)[answer],
                        None => promptsrc::probability(row, answer),
                    },
                });
            },
        )?;
        if let Some(file) = file {
            let paths = predictions.iter().map(|predicted| predicted.path.as_path());
            evaluation_files::write_logits(&file, classifier.names(), paths, &logits)?;
        }
        let calibrated = match &in_use {
            Some(of) => Some(Calibrated {
                figures: calibrated_figures(
                    &of.calibration,
                    &logits,
                    &of.wanted,
                    !of.temperature_only,
                )?,
                calibration: of.used(),
            }),
            None => None,
        };
        let unknown = match unknown {
            Some(unknown) => Some(judge(
                unknown,
                classifier,
                &logits,
                in_use.as_ref(),
                left_out.allow_unreadable,
                printer,
            )?),
            None => None,
        };
        Ok(Evaluated {
            evaluation: found.evaluation,
            negative_log_likelihood: negative_log_likelihood(&logits, Temperature::OWN)?,
            brier_score: brier_score(&logits, Temperature::OWN)?,
            calibrated,
            unknown,
            missing: left_out.missing,
            unreadable: found.unreadable.len(),
            exif: left_out.exif,
            provenance,
            predictions,
        })
    }
}

/// Tells images of unknown classes from the known ones with these logits.
fn judge(
    unknown: Unknown,
    classifier: &Classifier,
    known: &LabelledLogits,
    in_use: Option<&InUse>,
    allow_unreadable: bool,
    printer: &Printer,
) -> Result<OfUnknown, Failure> {
    let bar = printer.bar(unknown.items.len() as u64, "images of unknown classes");
    let mut rows: Vec<Vec<f32>> = Vec::with_capacity(unknown.items.len());
    let (_, warning) = classifier.logits_each(
        &unknown.items,
        decoding_threads(),
        allow_unreadable,
        &mut |done| bar.set_position(done as u64),
        &mut |_, row| {
            rows.push(row.to_vec());
            Ok(())
        },
    )?;
    bar.finish_and_clear();
    if let Some(warning) = warning {
        printer.warning(&format!("unknown classes: {warning}"));
    }
    let calibration = in_use.filter(|of| !of.temperature_only);
    let figures = unknown_figures(
        &known.rows().map(|(_, row)| row).collect::<Vec<_>>(),
        &rows.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        classifier.logit_scale(),
        calibration.map(|of| &of.calibration),
    )?;
    Ok(OfUnknown {
        figures,
        data: unknown.data,
        part: unknown.part,
        classes: unknown.classes,
    })
}
