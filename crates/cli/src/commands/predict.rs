//! `promptsrc predict`: classifies images and prints the probabilities of class names.

use promptsrc::calibration::{CalibratedAnswer, CalibrationSubject, SetPromise};
use promptsrc::{Classifier, Item, Prediction, PredictionResult};
use serde::Serialize;

use crate::args::PredictFormat;
use crate::failure::{Failure, with_causes};
use crate::output::Printer;
use crate::settings::{InUse, PredictSettings, Predicting, decoding_threads};

/// The most probable class names of an image, or the error if it cannot be read.
#[derive(Serialize)]
pub struct Predicted {
    pub image: String,
    /// The most probable first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<Vec<Named>>,
    /// Whether the probabilities are at the temperature of a calibration.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    calibrated: bool,
    /// The classes of the set, the most probable first.
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<Vec<Named>>,
    /// What the set promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    promise: Option<SetPromise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<Unknown>,
    /// Rank of each class of the set, from 1.
    #[serde(skip)]
    ranks: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Whether an image shows none of the classes.
#[derive(Clone, Copy, Serialize)]
pub struct Unknown {
    unknown: bool,
    score: f64,
    threshold: f64,
}

/// How answers are shown.
#[derive(Clone, Copy)]
struct Shown<'a> {
    top_k: usize,
    calibration: Option<&'a InUse>,
}

/// A name and its probability.
#[derive(Clone, Serialize)]
pub struct Named {
    pub name: String,
    pub probability: f32,
}

pub fn run(settings: PredictSettings, printer: &Printer) -> Result<(), Failure> {
    let PredictSettings {
        images,
        what,
        calibration,
        top_k,
        allow_unreadable,
        exif,
        format,
    } = settings;
    let classify = |classifier: &Classifier, subject: &CalibrationSubject, exif: bool| {
        let in_use = calibration.of(subject, exif, printer)?;
        let shown = Shown {
            top_k,
            calibration: in_use.as_ref(),
        };
        let items: Vec<Item> = images
            .iter()
            .map(|path| Item::new(path, 0).upright(exif))
            .collect();
        match format {
            PredictFormat::Text => {
                let predictions = predict(classifier, items, shown, printer)?;
                print(&predictions, allow_unreadable, printer)
            }
            PredictFormat::Csv | PredictFormat::Jsonl => {
                stream(classifier, &items, shown, format, allow_unreadable, printer)
            }
        }
    };
    match what {
        Predicting::ZeroShot {
            clip,
            names,
            templates,
        } => {
            let clip = clip.open(printer)?;
            let classifier = Classifier::zero_shot(&clip, &names, &templates)?;
            let subject = CalibrationSubject::zero_shot(&clip, &names, &templates);
            classify(&classifier, &subject, exif.unwrap_or(false))
        }
        Predicting::Adapter { source, names } => {
            let exif = source.exif(exif, printer);
            let path = source.path().display().to_string();
            let file = source.file().to_path_buf();
            let loaded = source.load(printer)?;
            let names = loaded.names(names, &path)?;
            let classifier = loaded
                .adapter
                .classifier(&loaded.clip, &names)?
                .cached_head(&loaded.clip);
            let meta = &loaded.adapter.meta;
            let subject = CalibrationSubject::of_adapter(&file, meta, &loaded.clip, &names)?;
            classify(&classifier, &subject, exif)
        }
    }
}

/// Prints each prediction as soon as it is known, in the order of the images.
fn stream(
    classifier: &Classifier,
    items: &[Item],
    shown: Shown,
    format: PredictFormat,
    allow_unreadable: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    /// Images after which it is checked whether somebody still reads.
    const AT_ONCE: usize = 512;
    if format == PredictFormat::Csv {
        let [set, unknown] = shown.columns();
        let more = [(set, ",in_set"), (unknown, ",unknown")];
        let more = more.iter().filter(|(is_shown, _)| *is_shown).map(|of| of.1);
        printer.raw(&format!(
            "image,rank,class,probability{}",
            more.collect::<String>()
        ))?;
    }
    let bar = printer.bar(items.len() as u64, "images");
    let mut failed = 0;
    for items in items.chunks(AT_ONCE) {
        let mut printed = Ok(());
        let mut wrong = None;
        classifier.predict_each(items.to_vec(), decoding_threads(), &mut |result| {
            bar.inc(1);
            let predicted = match Predicted::from_result(result, shown) {
                Ok(predicted) => predicted,
                Err(error) => return wrong = wrong.take().or(Some(error)),
            };
            if let Some(error) = &predicted.error {
                failed += 1;
                bar.suspend(|| match allow_unreadable {
                    true => printer.warning(error),
                    false => printer.error(error),
                });
            }
            if printed.is_ok() {
                printed = match format {
                    PredictFormat::Csv => csv_lines(&predicted, shown),
                    _ => serde_json::to_string(&predicted).map_err(Failure::from),
                }
                .and_then(|lines| match lines.is_empty() {
                    true => Ok(()),
                    false => bar.suspend(|| printer.raw(&lines)),
                });
            }
        })?;
        printed?;
        if let Some(error) = wrong {
            return Err(error);
        }
    }
    bar.finish_and_clear();
    unread(failed, items.len(), allow_unreadable)
}

/// The lines of an image; none if it cannot be read. Classes of its set that are not among the most probable
/// ones have lines as well.
fn csv_lines(predicted: &Predicted, shown: Shown) -> Result<String, Failure> {
    let problem = |e: &dyn std::fmt::Display| Failure::failed(format!("csv: {e}"));
    let [with_set, with_unknown] = shown.columns();
    let mut lines = csv::Writer::from_writer(Vec::new());
    let top = predicted.top.iter().flatten().enumerate();
    let mut rows: Vec<(usize, &Named)> = top.map(|(place, named)| (place + 1, named)).collect();
    let last = rows.len();
    let set = predicted.ranks.iter().zip(predicted.set.iter().flatten());
    rows.extend(
        set.filter(|(rank, _)| **rank > last)
            .map(|(rank, named)| (*rank, named)),
    );
    for (rank, named) in rows {
        let mut record = vec![
            predicted.image.clone(),
            rank.to_string(),
            named.name.clone(),
            named.probability.to_string(),
        ];
        if with_set {
            record.push(predicted.ranks.contains(&rank).to_string());
        }
        if with_unknown {
            let unknown = predicted.unknown.map(|of| of.unknown.to_string());
            record.push(unknown.unwrap_or_default());
        }
        lines.write_record(&record).map_err(|e| problem(&e))?;
    }
    let bytes = lines.into_inner().map_err(|e| problem(&e))?;
    String::from_utf8(bytes).map_err(|e| problem(&e))
}

fn unread(failed: usize, images: usize, allow_unreadable: bool) -> Result<(), Failure> {
    match failed {
        0 => Ok(()),
        n if allow_unreadable && n < images => Ok(()),
        n => Err(Failure::failed(format!(
            "{n} of {images} images could not be read"
        ))),
    }
}

fn predict(
    classifier: &Classifier,
    items: Vec<Item>,
    shown: Shown,
    printer: &Printer,
) -> Result<Vec<Predicted>, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let mut predictions = Vec::with_capacity(items.len());
    classifier.predict_each(items, decoding_threads(), &mut |result| {
        predictions.push(Predicted::from_result(result, shown));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    predictions.into_iter().collect()
}

impl Shown<'_> {
    /// Whether there are sets, and whether classes may be unknown.
    fn columns(&self) -> [bool; 2] {
        let wanted = self.calibration.map(|of| of.wanted).unwrap_or_default();
        [
            wanted.coverage.is_some() || wanted.sets.is_some(),
            wanted.unknown,
        ]
    }

    /// The answer by the calibration, if there is one.
    fn answer(&self, prediction: &Prediction) -> Result<Option<CalibratedAnswer>, Failure> {
        let Some(of) = self.calibration else {
            return Ok(None);
        };
        if of.temperature_only {
            return Ok(Some(CalibratedAnswer {
                probabilities: of.calibration.probabilities(&prediction.logits),
                promise: None,
                set: None,
                unknown: None,
            }));
        }
        Ok(Some(of.calibration.answer(&prediction.logits, &of.wanted)?))
    }
}

impl Predicted {
    fn from_result(result: PredictionResult, shown: Shown) -> Result<Self, Failure> {
        match result {
            Ok(prediction) => {
                let answer = shown.answer(&prediction)?;
                let predicted = Self::new(&prediction, shown.top_k);
                Ok(match answer {
                    Some(answer) => predicted.calibrated(&prediction, &answer, shown.top_k),
                    None => predicted,
                })
            }
            Err((path, error)) => Ok(Self {
                image: path.display().to_string(),
                top: None,
                calibrated: false,
                set: None,
                promise: None,
                unknown: None,
                ranks: Vec::new(),
                error: Some(with_causes(&error)),
            }),
        }
    }

    /// The `top_k` most probable names.
    pub fn new(prediction: &Prediction, top_k: usize) -> Self {
        let named = |(name, probability): &(String, f32)| Named {
            name: name.clone(),
            probability: *probability,
        };
        Self {
            image: prediction.path.display().to_string(),
            top: Some(prediction.top(top_k).iter().map(named).collect()),
            calibrated: false,
            set: None,
            promise: None,
            unknown: None,
            ranks: Vec::new(),
            error: None,
        }
    }

    /// The same with calibrated probabilities, the set, and whether the class is unknown.
    fn calibrated(self, prediction: &Prediction, answer: &CalibratedAnswer, top_k: usize) -> Self {
        let (order, all) = (prediction.order(), prediction.top(usize::MAX));
        let mut places = vec![0; order.len()];
        for (place, class) in order.iter().enumerate() {
            places[*class] = place;
        }
        let named = |class: &usize| Named {
            name: all[places[*class]].0.clone(),
            probability: answer.probabilities[*class],
        };
        let set = answer.set.as_deref();
        Self {
            top: Some(order.iter().take(top_k).map(named).collect()),
            calibrated: true,
            set: set.map(|set| set.iter().map(named).collect()),
            promise: answer.promise,
            ranks: set
                .into_iter()
                .flatten()
                .map(|class| places[*class] + 1)
                .collect(),
            unknown: answer.unknown.map(|of| Unknown {
                unknown: of.unknown,
                score: of.score,
                threshold: of.threshold,
            }),
            ..self
        }
    }

    /// The lines of text below the classes.
    fn verdicts(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(set) = &self.set {
            let names: Vec<&str> = set.iter().map(|named| named.name.as_str()).collect();
            lines.push(match names.is_empty() {
                true => "    set  (empty: no class is probable enough)".to_string(),
                false => format!("    set  {}", names.join(", ")),
            });
        }
        if let Some(of) = &self.unknown {
            let (word, sign) = match of.unknown {
                true => ("unknown", "<"),
                false => ("known", ">="),
            };
            let (score, threshold) = (of.score, of.threshold);
            lines.push(format!(
                "{word:>7}  (score {score:.8} {sign} {threshold:.8})"
            ));
        }
        lines
    }
}

fn print(
    predictions: &[Predicted],
    allow_unreadable: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    if printer.is_json() {
        printer.json(&predictions)?;
    } else if predictions.iter().any(|p| p.top.is_some()) {
        let width = predictions
            .iter()
            .filter(|p| p.top.is_some())
            .map(|p| p.image.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for prediction in predictions {
            for (i, named) in prediction.top.iter().flatten().enumerate() {
                let image = if i == 0 {
                    prediction.image.as_str()
                } else {
                    ""
                };
                text += &format!(
                    "{image:width$}  {:5.1} %  {}\n",
                    100.0 * named.probability,
                    named.name
                );
            }
            for line in prediction.verdicts() {
                text += &format!("{:width$}  {line}\n", "");
            }
        }
        printer.result(&text)?;
    }
    let failed: Vec<&str> = predictions
        .iter()
        .filter_map(|p| p.error.as_deref())
        .collect();
    for error in &failed {
        match allow_unreadable {
            true => printer.warning(error),
            false => printer.error(error),
        }
    }
    unread(failed.len(), predictions.len(), allow_unreadable)
}
