//! Evaluates a run and zero-shot CLIP on the same images, for the page.

use std::path::Path;

use promptsrc::calibration::{
    Calibration, CalibrationBins, CalibrationSubject, LabelledLogits, Temperature, brier_score,
    negative_log_likelihood,
};
use promptsrc::metrics::ReliabilityBin;
use promptsrc::provenance::DataProvenance;
use promptsrc::{
    Adapter, Classes, Classifier, Clip, Dataset, Evaluation, Item, Limits, Part, missing_warning,
    overlap_warnings, probabilities,
};
use promptsrc_clip::templates;
use promptsrc_report::{Answered, Calibrated, Judged, Likely, Measured, Run, Trust, thumbnail};

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{Measuring, ZeroShotTemplates, decoding_threads};

/// Answers that are shown of an image.
const ANSWERS: usize = 5;

/// Evaluates runs, and zero-shot CLIP once for those on the same images.
#[derive(Default)]
pub struct Measurer {
    known: Vec<(ZeroShot, Judged)>,
}

/// What the numbers of zero-shot CLIP depend on.
#[derive(PartialEq)]
struct ZeroShot {
    clip: String,
    precision: String,
    device: String,
    templates: Vec<String>,
    data: DataProvenance,
    exif: bool,
}

/// The adapter and the CLIP of a run that was measured.
pub struct Opened {
    pub adapter: Adapter,
    pub clip: Clip,
}

/// An image, its class and its answers by place among the classes.
struct Answer {
    item: usize,
    label: usize,
    top: Vec<(usize, f32)>,
    /// The probabilities of these answers with a calibration; empty without one.
    calibrated: Vec<f32>,
}

/// An evaluation with the answers of all images.
struct Answers {
    evaluation: Evaluation,
    reliability: Vec<ReliabilityBin>,
    answers: Vec<Answer>,
    warning: Option<String>,
    calibrated: Option<Calibrated>,
}

impl Measurer {
    /// Measures a run and adds what was found to its page.
    pub fn measure(
        &mut self,
        mut measuring: Measuring,
        run: &mut Run,
        printer: &Printer,
    ) -> Result<Opened, Failure> {
        let exif = measuring.source.exif(measuring.data.exif, printer);
        measuring.data.exif = Some(exif);
        // The images are read before the weights, because loading the weights is slowest.
        let (dataset, _) = measuring.data.read(printer)?;
        let loaded = measuring.source.clone().load(printer)?;
        let opened = Opened {
            adapter: loaded.adapter,
            clip: loaded.clip,
        };
        for classes in measuring.classes.clone() {
            let measured =
                self.on_classes(&measuring, &opened, &dataset, classes, &run.name, printer)?;
            run.measured.push(measured);
        }
        if let [only] = measuring.classes.as_slice()
            && *only != Classes::All
        {
            run.not_measured.push(format!(
                "What {} learned belongs to the {only} classes of its training: there is no accuracy on \
                 others.",
                run.method
            ));
        }
        Ok(opened)
    }

    fn on_classes(
        &mut self,
        measuring: &Measuring,
        Opened { adapter, clip }: &Opened,
        dataset: &Dataset,
        classes: Classes,
        run: &str,
        printer: &Printer,
    ) -> Result<Measured, Failure> {
        let mut notes = Vec::new();
        let subset = dataset.whole().select(classes)?;
        let (subset, part) = match measuring.part.one() {
            Some(part) => (subset, part),
            None => {
                notes
                    .push("All images, whatever their part, are taken as test images.".to_string());
                (subset.all_as_test(), Part::Test)
            }
        };
        if measuring.part.one().is_some_and(|part| part != Part::Test) {
            notes.push(format!("On the {part} images."));
        }
        subset.check_classes()?;
        let images = subset.images(part, measuring.data.allow_missing)?;
        let (names, items) = (&subset.class_names, &images.items);
        notes.extend(missing_warning(&subset, part, &images));
        notes.extend(subset.bare_classes(part));
        notes.extend(overlap_warnings(&adapter.meta, &subset, part, items));
        for note in &notes {
            printer.warning(&format!("{run}: {note}"));
        }
        let data = DataProvenance::of(&dataset.name, measuring.part, classes, &subset, items);

        let classifier = adapter.classifier(clip, names)?.cached(clip);
        let (calibration, unused) = calibration_of(measuring, adapter, clip, names, items);
        if let Some(note) = unused {
            printer.warning(&format!("{run}: {note}"));
            notes.push(note);
        }
        let found = answers(
            &classifier,
            items,
            measuring,
            &format!("{run}, {classes} "),
            calibration.as_ref(),
            printer,
        )?;
        notes.extend(found.warning.clone());
        if let Some(warning) = &found.warning {
            printer.warning(warning);
        }
        let learned = judged(found, items, names, measuring)?;

        let templates = templates_of(measuring.templates.as_ref(), &dataset.name)?;
        let record = clip.record();
        let key = ZeroShot {
            clip: format!("{record:?} {:?}", clip.preprocessing_record()),
            precision: clip.precision().to_string(),
            device: clip.open_device().name.clone(),
            templates: templates.clone(),
            data,
            exif: measuring.data.exif.unwrap_or(false),
        };
        let known = self.known.iter().find(|(known, _)| *known == key);
        let zero_shot = match known {
            Some((_, judged)) => judged.clone(),
            None => {
                let classifier = Classifier::zero_shot(clip, names, &templates)?.cached(clip);
                let title = format!("zero-shot, {classes} ");
                let found = answers(&classifier, items, measuring, &title, None, printer)?;
                // Its images are not shown.
                let judged = Judged {
                    evaluation: found.evaluation,
                    reliability: found.reliability,
                    calibrated: None,
                    mistakes: Vec::new(),
                    hits: Vec::new(),
                };
                self.known.push((key, judged.clone()));
                judged
            }
        };
        let known = &adapter.meta.class_names;
        Ok(Measured {
            classes: classes.to_string(),
            trained: names.iter().filter(|name| known.contains(name)).count(),
            learned,
            zero_shot,
            templates,
            notes,
        })
    }
}

/// The templates of zero-shot CLIP: those that were asked for, or as bench has them.
fn templates_of(asked: Option<&ZeroShotTemplates>, data_set: &str) -> Result<Vec<String>, Failure> {
    match asked {
        Some(asked) => asked.of(data_set),
        None => {
            let own = templates::data_set_template(data_set).unwrap_or(templates::PHOTO);
            Ok(vec![own.to_string()])
        }
    }
}

fn answers(
    classifier: &Classifier,
    items: &[Item],
    measuring: &Measuring,
    title: &str,
    calibration: Option<&Calibration>,
    printer: &Printer,
) -> Result<Answers, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    bar.set_message(title.to_string());
    let mut answers = Vec::with_capacity(items.len());
    let mut logits = LabelledLogits::new(classifier.names().len());
    let found = classifier.evaluate_rows(
        items,
        decoding_threads(),
        measuring.data.allow_unreadable,
        &mut |done| bar.set_position(done as u64),
        &mut |place, answer, row| {
            let top = top(answer, &probabilities(row));
            let calibrated = match calibration {
                Some(calibration) => {
                    // Rows are of these classes and finite, or the evaluation ends with an error.
                    let _ = logits.push(items[place].label, row);
                    let after = calibration.probabilities(row);
                    let of = |class: &usize| after.get(*class).copied().unwrap_or_default();
                    top.iter().map(|(class, _)| of(class)).collect()
                }
                None => Vec::new(),
            };
            answers.push(Answer {
                item: place,
                label: items[place].label,
                top,
                calibrated,
            });
        },
    )?;
    bar.finish_and_clear();
    let calibrated = calibration
        .map(|of| calibrated(of, &logits, &found.evaluation))
        .transpose()?;
    Ok(Answers {
        evaluation: found.evaluation,
        reliability: found.reliability.to_vec(),
        answers,
        warning: found.warning,
        calibrated,
    })
}

/// What a calibration makes of the probabilities of images with these logits.
fn calibrated(
    calibration: &Calibration,
    logits: &LabelledLogits,
    evaluation: &Evaluation,
) -> Result<Calibrated, Failure> {
    let trust = |temperature: Temperature, calibration_error: f64| -> Result<Trust, Failure> {
        Ok(Trust {
            negative_log_likelihood: negative_log_likelihood(logits, temperature)?,
            brier_score: brier_score(logits, temperature)?,
            calibration_error,
        })
    };
    let temperature = calibration.temperature();
    let bins = CalibrationBins::of(logits, temperature);
    let record = calibration.record();
    Ok(Calibrated {
        temperature: temperature.value(),
        fitted_on: record.data.images,
        before: trust(Temperature::OWN, evaluation.calibration_error)?,
        after: trust(temperature, bins.error().unwrap_or_default())?,
        reliability: bins.bins().to_vec(),
    })
}

/// The calibration beside an adapter, if it is one of this classifier and was made from other images than these;
/// or what a page says of why not.
fn calibration_of(
    measuring: &Measuring,
    adapter: &Adapter,
    clip: &Clip,
    names: &[String],
    items: &[Item],
) -> (Option<Calibration>, Option<String>) {
    let file = measuring.source.file();
    let path = Calibration::path_beside(file);
    if path.symlink_metadata().is_err() {
        return (None, None);
    }
    let unused = |why: &str| {
        let note = format!("The run's calibration was not used: {why}.");
        (None, Some(note))
    };
    let Ok(calibration) = Calibration::load(&path) else {
        return unused("its file cannot be read, or is damaged");
    };
    // One for other class names says nothing of these.
    if calibration.class_names() != names {
        return (None, None);
    }
    let subject = CalibrationSubject::of_adapter(file, &adapter.meta, clip, names);
    if !subject.is_ok_and(|subject| calibration.check_for(&subject).is_ok()) {
        return unused("it was made for another adapter, CLIP or precision");
    }
    match calibration.record().data.hashes.count_in(items) {
        0 => (Some(calibration), None),
        n => unused(&format!("it was made from {n} of these images")),
    }
}

/// The most probable answers, the given one first; of equal ones, in the order of the classes.
fn top(answer: usize, row: &[f32]) -> Vec<(usize, f32)> {
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(ANSWERS + 1);
    for (class, probability) in row.iter().enumerate() {
        if best.len() == ANSWERS && best.last().is_some_and(|(_, least)| probability <= least) {
            continue;
        }
        let place = best.partition_point(|(_, other)| other >= probability);
        best.insert(place, (class, *probability));
        best.truncate(ANSWERS);
    }
    // Logits that differ may have the same probability.
    if let Some(place) = best.iter().position(|(class, _)| *class == answer) {
        best[..=place].rotate_right(1);
    }
    best
}

/// The evaluation for the page, with the images that are shown.
fn judged(
    found: Answers,
    items: &[Item],
    names: &[String],
    measuring: &Measuring,
) -> Result<Judged, Failure> {
    let confidence = |answer: &Answer| answer.top.first().map_or(0.0, |(_, p)| *p);
    let is_right = |answer: &&Answer| answer.top.first().is_some_and(|(c, _)| *c == answer.label);
    let (mut hits, mut mistakes): (Vec<&Answer>, Vec<&Answer>) =
        found.answers.iter().partition(is_right);
    mistakes.sort_by(|a, b| confidence(b).total_cmp(&confidence(a)));
    hits.sort_by(|a, b| confidence(a).total_cmp(&confidence(b)));
    let shown = |answers: &[&Answer]| -> Result<Vec<Answered>, Failure> {
        let answers = answers.iter().take(measuring.images);
        answers
            .map(|answer| answered(answer, items, names, &measuring.root))
            .collect()
    };
    Ok(Judged {
        mistakes: shown(&mistakes)?,
        hits: shown(&hits)?,
        evaluation: found.evaluation,
        reliability: found.reliability,
        calibrated: found.calibrated,
    })
}

fn answered(
    answer: &Answer,
    items: &[Item],
    names: &[String],
    root: &Path,
) -> Result<Answered, Failure> {
    let name = |class: usize| names.get(class).cloned().unwrap_or_default();
    let item = items.get(answer.item);
    let thumbnail = match item {
        Some(item) => {
            let failed = |e: &dyn std::fmt::Display| {
                Failure::failed(format!("{}: {e}", item.path.display()))
            };
            let image = item.image(&Limits::default()).map_err(|e| failed(&e))?;
            Some(thumbnail(&image).map_err(|e| failed(&e))?)
        }
        None => None,
    };
    Ok(Answered {
        name: item
            .map(|item| short_name(&item.path, root))
            .unwrap_or_default(),
        truth: name(answer.label),
        answers: answer
            .top
            .iter()
            .enumerate()
            .map(|(place, (class, probability))| Likely {
                class: name(*class),
                probability: *probability,
                calibrated: answer.calibrated.get(place).copied(),
            })
            .collect(),
        thumbnail,
    })
}

/// The path of an image below the folder of the images, or else its last two parts.
fn short_name(path: &Path, root: &Path) -> String {
    let below = path
        .strip_prefix(root)
        .ok()
        .filter(|below| below.is_relative());
    let parts: Vec<String> = path
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    match below {
        Some(below) => below.display().to_string(),
        None => parts[parts.len().saturating_sub(2)..].join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_ranked_with_the_given_one_first() {
        assert_eq!(top(1, &[0.25, 0.5, 0.25]), [(1, 0.5), (0, 0.25), (2, 0.25)]);
        assert_eq!(top(2, &[0.2, 0.4, 0.4]), [(2, 0.4), (1, 0.4), (0, 0.2)]);
        let many = [0.05, 0.1, 0.3, 0.02, 0.2, 0.08, 0.25];
        let found: Vec<usize> = top(2, &many).into_iter().map(|(class, _)| class).collect();
        assert_eq!(found, [2, 6, 4, 1, 5]);
    }

    #[test]
    fn names_of_images_do_not_say_where_they_are() {
        let name = |path: &str, root: &str| short_name(Path::new(path), Path::new(root));
        assert_eq!(name("/home/a/data/cat/1.jpg", "/home/a/data"), "cat/1.jpg");
        assert_eq!(name("/mnt/x/cat/1.jpg", "/home/a/data"), "cat/1.jpg");
        assert_eq!(name("objects/test/3", "/home/a"), "test/3");
    }
}
