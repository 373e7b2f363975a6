//! `promptsrc calibrate`: makes a calibration from labelled images that were not trained on.

use promptsrc::adapter::AdapterMeta;
use promptsrc::calibration::{
    Calibration, CalibrationBins, CalibrationImages, CalibrationSubject, DataOfCalibration,
    LabelledLogits, NoTemperature, Raps, SetMethod, Temperature, UnknownScore, Wanted, brier_score,
    images_needed, negative_log_likelihood,
};
use promptsrc::{
    Classes, Classifier, Dataset, Item, Part, Parts, Subset, TrainedImages, missing_warning,
};
use promptsrc_datasets::content_hashes;
use serde::Serialize;

use crate::failure::Failure;
use crate::labelled_evaluation;
use crate::output::Printer;
use crate::settings::{CalibrateSettings, Evaluated as What, images_of};

/// What was made.
#[derive(Serialize)]
struct Summary {
    out: String,
    classes: usize,
    images: usize,
    /// Images that were left out because the adapter was trained on them.
    trained_on: usize,
    unreadable: usize,
    temperature: f64,
    /// Whether there is a temperature of greatest likelihood.
    temperature_fitted: bool,
    /// On the images of the calibration themselves.
    before: Figures,
    after: Figures,
    coverage: f64,
    class_conditional: bool,
    sets: Vec<Set>,
    unknown: Unknown,
}

#[derive(Serialize)]
struct Figures {
    negative_log_likelihood: f64,
    brier_score: f64,
    calibration_error: f64,
}

#[derive(Serialize)]
struct Set {
    method: SetMethod,
    images: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    raps: Option<Raps>,
    #[serde(skip_serializing_if = "promptsrc::records::is_zero")]
    chosen_on: usize,
}

#[derive(Serialize)]
struct Unknown {
    score: UnknownScore,
    keep: f64,
    threshold: Option<f64>,
}

pub fn run(mut settings: CalibrateSettings, printer: &Printer) -> Result<(), Failure> {
    if let What::Adapter(source) = &settings.what {
        settings.data.exif = Some(source.exif(settings.data.exif, printer));
    }
    let (dataset, _) = settings.data.read(printer)?;
    let (subset, classes) = subset(&settings, &dataset, printer)?;
    let (subset, part) = match (settings.part.one(), settings.data.is_memory()) {
        // What a program gives is what it wants to calibrate on.
        (_, true) => (subset, Part::Test),
        (Some(part), _) => (subset, part),
        (None, _) => (subset.all_as_test(), Part::Test),
    };
    subset.check_classes()?;
    let images = subset.images(part, settings.data.allow_missing)?;
    if let Some(warning) = missing_warning(&subset, part, &images) {
        printer.warning(&warning);
    }
    let chosen = Chosen {
        dataset: &dataset,
        subset: &subset,
        items: images.items,
        classes,
        part: settings.part,
        exif: settings.data.exif.unwrap_or(false),
        allow_unreadable: settings.data.allow_unreadable,
    };
    let names = &subset.class_names;
    let (calibration, logits) = match settings.what.clone() {
        What::Adapter(source) => {
            let file = source.file().to_path_buf();
            let loaded = source.load(printer)?;
            let meta = &loaded.adapter.meta;
            let is_own = meta.data.name == dataset.name;
            if settings.part == Parts::All && is_own && !settings.data.is_memory() {
                return Err(Failure::failed(format!(
                    "--part all: the adapter was trained on {}, so its parts are not one data set that was held \
                     out; take val, or train, whose trained images are left out",
                    dataset.name
                )));
            }
            let chosen = chosen.untrained(meta, printer)?;
            let subject = CalibrationSubject::of_adapter(&file, meta, &loaded.clip, names)?;
            let classifier = loaded
                .adapter
                .classifier(&loaded.clip, names)?
                .cached_head(&loaded.clip);
            fit(&classifier, subject, &chosen, &settings, printer)?
        }
        What::ZeroShot { clip, templates } => {
            let templates = templates.of(&dataset.name)?;
            let clip = clip.open(printer)?;
            let subject = CalibrationSubject::zero_shot(&clip, names, &templates);
            let classifier = Classifier::zero_shot(&clip, names, &templates)?;
            fit(&classifier, subject, &(chosen, 0), &settings, printer)?
        }
    };
    calibration.save(&settings.out)?;
    let summary = Summary::new(&calibration, &logits, &settings)?;
    printer.answer(&summary, || summary.text(&calibration))
}

/// The classes of the data set that are calibrated.
fn subset(
    settings: &CalibrateSettings,
    dataset: &Dataset,
    printer: &Printer,
) -> Result<(Subset, Classes), Failure> {
    let select = |classes| dataset.whole().select(classes);
    let trained = match (&settings.what, settings.classes) {
        (_, Some(classes)) => return Ok((select(classes)?, classes)),
        (What::Adapter(source), None) => source.class_names(),
        (What::ZeroShot { .. }, None) => None,
    };
    let all = select(Classes::All)?;
    let Some(trained) = trained.filter(|names| **names != all.class_names) else {
        return Ok((all, Classes::All));
    };
    for classes in [Classes::Base, Classes::Novel] {
        if let Ok(subset) = select(classes)
            && subset.class_names == *trained
        {
            printer.note(&format!(
                "calibrated for the {} {classes} classes, which the adapter was trained on (--classes all: for all)",
                trained.len()
            ));
            return Ok((subset, classes));
        }
    }
    printer.warning(&format!(
        "the {} classes of {} are not those of the training: the calibration is for them, and not for the {} names \
         that predict takes unless others are given",
        all.class_names.len(),
        dataset.name,
        trained.len()
    ));
    Ok((all, Classes::All))
}

/// The images that are calibrated on.
struct Chosen<'a> {
    dataset: &'a Dataset,
    subset: &'a Subset,
    items: Vec<Item>,
    classes: Classes,
    part: Parts,
    exif: bool,
    allow_unreadable: bool,
}

impl Chosen<'_> {
    /// Without those that the adapter was trained on, and how many these were.
    fn untrained(
        mut self,
        meta: &AdapterMeta,
        printer: &Printer,
    ) -> Result<(Self, usize), Failure> {
        let trained = &meta.data.trained_on;
        if trained.is_empty() {
            if self.part == Parts::Train {
                return Err(Failure::failed(
                    "--part train: the adapter does not record which images it was trained on, so they cannot be \
                     left out; take images that it was not trained on",
                ));
            }
            printer.warning(
                "the adapter does not record which images it was trained on: see that it was not trained on these",
            );
            return Ok((self, 0));
        }
        let before = self.items.len();
        let hashes = content_hashes(&self.items);
        let known = hashes
            .iter()
            .map(|hash| hash.is_some_and(|hash| trained.contains(hash)));
        let known: Vec<bool> = known.collect();
        let mut known = known.into_iter();
        self.items.retain(|_| !known.next().unwrap_or(false));
        let left_out = before - self.items.len();
        if self.items.is_empty() {
            return Err(Failure::failed(format!(
                "the adapter was trained on all {before} {} of {}: it can only be calibrated on others",
                images_of(self.part),
                self.dataset.name
            )));
        }
        if left_out > 0 {
            printer.warning(&format!(
                "{left_out} of {before} {} of {} are left out, because the adapter was trained on them or \
                 chose settings on them",
                images_of(self.part),
                self.dataset.name
            ));
        }
        Ok((self, left_out))
    }
}

fn fit(
    classifier: &Classifier,
    subject: CalibrationSubject,
    (chosen, trained_on): &(Chosen, usize),
    settings: &CalibrateSettings,
    printer: &Printer,
) -> Result<(Calibration, LabelledLogits), Failure> {
    let items = &chosen.items;
    let (found, logits) = labelled_evaluation::evaluate(
        classifier,
        items,
        chosen.allow_unreadable,
        printer,
        &mut |_, _, _| (),
    )?;
    let counted: Vec<Item> = items
        .iter()
        .enumerate()
        .filter(|(place, _)| !found.unreadable.contains(place))
        .map(|(_, item)| item.clone())
        .collect();
    let hashes: Option<Vec<u64>> = content_hashes(&counted).into_iter().collect();
    let Some(hashes) = hashes else {
        return Err(Failure::failed(
            "an image could be decoded, but not read again: do the images change?",
        ));
    };
    let bare = chosen.subset.class_names.iter().enumerate();
    let bare: Vec<&str> = bare
        .filter(|(class, _)| !logits.labels().contains(class))
        .map(|(_, name)| name.as_str())
        .collect();
    if !bare.is_empty() {
        printer.warning(&format!(
            "{} of {} classes have no image to calibrate on: {}",
            bare.len(),
            chosen.subset.class_names.len(),
            bare.join(", ")
        ));
    }
    let data = DataOfCalibration {
        name: chosen.dataset.name.clone(),
        part: chosen.part,
        classes: chosen.classes,
        images: logits.len(),
        trained_on: *trained_on,
        unreadable: found.unreadable.len(),
        exif: chosen.exif,
        hashes: TrainedImages::with_hashes(hashes.clone()),
    };
    let images = CalibrationImages {
        logits: &logits,
        logit_scale: classifier.logit_scale(),
        hashes: &hashes,
        data,
    };
    let calibration = Calibration::fit(subject, images, &settings.options)?;
    warn(&calibration, &logits, printer)?;
    Ok((calibration, logits))
}

/// Says what the images are too few for.
fn warn(
    calibration: &Calibration,
    logits: &LabelledLogits,
    printer: &Printer,
) -> Result<(), Failure> {
    let why = match Temperature::fit(logits)?.missing() {
        Some(NoTemperature::AllCorrect) => Some(
            "all images are classified correctly, so the likelihood has no maximum: the lower the temperature, the \
             likelier they are",
        ),
        Some(NoTemperature::Uninformative) => Some(
            "the answers are no better than chance, so the likelihood has no maximum: the higher the temperature, \
             the likelier they are",
        ),
        None => None,
    };
    if let Some(why) = why {
        printer.warning(&format!(
            "no temperature was fitted, and CLIP's own is kept: {why}; more images are needed"
        ));
    }
    for method in calibration.set_methods() {
        let wanted = Wanted {
            sets: Some(method),
            ..Wanted::default()
        };
        for note in calibration.notes(&wanted)? {
            printer.warning(&note);
        }
    }
    let unknown = &calibration.record().unknown;
    if unknown.threshold.is_none() {
        printer.warning(&format!(
            "no threshold for unknown classes: keeping {} of the known images needs at least {} images, and there \
             are {}",
            unknown.keep,
            images_needed(unknown.keep)?,
            logits.len()
        ));
    }
    Ok(())
}

impl Summary {
    fn new(
        calibration: &Calibration,
        logits: &LabelledLogits,
        settings: &CalibrateSettings,
    ) -> Result<Self, Failure> {
        let figures = |temperature| -> Result<Figures, Failure> {
            Ok(Figures {
                negative_log_likelihood: negative_log_likelihood(logits, temperature)?,
                brier_score: brier_score(logits, temperature)?,
                calibration_error: CalibrationBins::of(logits, temperature)
                    .error()
                    .unwrap_or_default(),
            })
        };
        let record = calibration.record();
        Ok(Self {
            out: settings.out.display().to_string(),
            classes: record.subject.class_names.len(),
            images: record.data.images,
            trained_on: record.data.trained_on,
            unreadable: record.data.unreadable,
            temperature: record.temperature.value,
            temperature_fitted: record.temperature.fitted,
            before: figures(Temperature::OWN)?,
            after: figures(calibration.temperature())?,
            coverage: record.coverage,
            class_conditional: record.class_conditional,
            sets: (record.sets.iter())
                .map(|set| Set {
                    method: set.method,
                    images: record.data.images - set.chosen_on,
                    raps: set.raps,
                    chosen_on: set.chosen_on,
                })
                .collect(),
            unknown: Unknown {
                score: record.unknown.score,
                keep: record.unknown.keep,
                threshold: record.unknown.threshold,
            },
        })
    }

    fn text(&self, calibration: &Calibration) -> String {
        let data = &calibration.record().data;
        let mut text = format!(
            "{} images of {} classes (of the {} of {})\n\n",
            self.images,
            self.classes,
            images_of(data.part),
            data.name
        );
        let temperature = match self.temperature_fitted {
            true => format!("{:.4}", self.temperature),
            false => "1 (CLIP's own; none fitted)".to_string(),
        };
        text += &format!("temperature              {temperature}\n");
        let (before, after) = (&self.before, &self.after);
        text += &format!(
            "on these images             before     after\n\
             negative log-likelihood  {:>9.4} {:>9.4}\n\
             Brier score              {:>9.4} {:>9.4}\n\
             calibration error        {:>7.2} % {:>7.2} %\n\n",
            before.negative_log_likelihood,
            after.negative_log_likelihood,
            before.brier_score,
            after.brier_score,
            100.0 * before.calibration_error,
            100.0 * after.calibration_error
        );
        for set in &self.sets {
            text += &format!("{:<5} sets from {} images", set.method, set.images);
            if let Some(raps) = set.raps {
                text += &format!(", lambda {}, k {}", raps.lambda, raps.k_reg);
                if set.chosen_on > 0 {
                    text += &format!(", chosen on {} others", set.chosen_on);
                }
            }
            text.push('\n');
        }
        let each = if self.class_conditional {
            " of each class"
        } else {
            ""
        };
        text += &format!(
            "coverage unless another is asked for: {}{each}\n",
            self.coverage
        );
        text += &match self.unknown.threshold {
            Some(threshold) => format!(
                "unknown below {threshold:.8} ({}), which keeps {} of the known images\n",
                self.unknown.score, self.unknown.keep
            ),
            None => "no threshold for unknown classes\n".to_string(),
        };
        text + &format!("\nwritten to {}\n", self.out)
    }
}
