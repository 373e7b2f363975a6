//! `promptsrc predict`: classifies images and prints the probabilities of class names.

use promptsrc::{Classifier, Item, Prediction, PredictionResult};
use promptsrc_clip::templates;
use serde::Serialize;

use crate::args::PredictFormat;
use crate::failure::{Failure, with_causes};
use crate::output::Printer;
use crate::settings::{PredictSettings, Predicting, decoding_threads};

/// The most probable class names of an image, or the error if it cannot be read.
#[derive(Serialize)]
pub struct Predicted {
    pub image: String,
    /// The most probable first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<Vec<Named>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A name and its probability.
#[derive(Serialize)]
pub struct Named {
    pub name: String,
    pub probability: f32,
}

pub fn run(settings: PredictSettings, printer: &Printer) -> Result<(), Failure> {
    let PredictSettings {
        images,
        what,
        top_k,
        allow_unreadable,
        exif,
        format,
    } = settings;
    let classify = |classifier: &Classifier, exif: bool| {
        let items: Vec<Item> = images
            .iter()
            .map(|path| Item::new(path, 0).upright(exif))
            .collect();
        match format {
            PredictFormat::Text => {
                let predictions = predict(classifier, items, top_k, printer)?;
                print(&predictions, allow_unreadable, printer)
            }
            PredictFormat::Csv | PredictFormat::Jsonl => {
                stream(classifier, &items, top_k, format, allow_unreadable, printer)
            }
        }
    };
    match what {
        Predicting::ZeroShot { clip, names } => {
            let clip = clip.open(printer)?;
            let classifier = Classifier::zero_shot(&clip, &names, &[templates::PHOTO])?;
            classify(&classifier, exif.unwrap_or(false))
        }
        Predicting::Adapter { source, names } => {
            let exif = source.exif(exif, printer);
            let path = source.path().display().to_string();
            let loaded = source.load(printer)?;
            let names = names.unwrap_or_else(|| loaded.adapter.meta.class_names.clone());
            if names.is_empty() {
                return Err(Failure::usage(format!(
                    "{path} does not record which classes it was trained on: give class names with \
                     --names or --names-file"
                )));
            }
            let classifier = loaded
                .adapter
                .classifier(&loaded.clip, &names)?
                .cached_head(&loaded.clip);
            classify(&classifier, exif)
        }
    }
}

/// Prints each prediction as soon as it is known, in the order of the images.
fn stream(
    classifier: &Classifier,
    items: &[Item],
    top_k: usize,
    format: PredictFormat,
    allow_unreadable: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    /// Images after which it is checked whether somebody still reads.
    const AT_ONCE: usize = 512;
    if format == PredictFormat::Csv {
        printer.raw("image,rank,class,probability")?;
    }
    let bar = printer.bar(items.len() as u64, "images");
    let mut failed = 0;
    for items in items.chunks(AT_ONCE) {
        let mut printed = Ok(());
        classifier.predict_each(items.to_vec(), decoding_threads(), &mut |result| {
            bar.inc(1);
            let predicted = Predicted::from_result(result, top_k);
            if let Some(error) = &predicted.error {
                failed += 1;
                bar.suspend(|| match allow_unreadable {
                    true => printer.warning(error),
                    false => printer.error(error),
                });
            }
            if printed.is_ok() {
                printed = match format {
                    PredictFormat::Csv => csv_lines(&predicted),
                    _ => serde_json::to_string(&predicted).map_err(Failure::from),
                }
                .and_then(|lines| match lines.is_empty() {
                    true => Ok(()),
                    false => bar.suspend(|| printer.raw(&lines)),
                });
            }
        })?;
        printed?;
    }
    bar.finish_and_clear();
    unread(failed, items.len(), allow_unreadable)
}

/// The lines of an image; none if it cannot be read.
fn csv_lines(predicted: &Predicted) -> Result<String, Failure> {
    let problem = |e: &dyn std::fmt::Display| Failure::failed(format!("csv: {e}"));
    let mut lines = csv::Writer::from_writer(Vec::new());
    for (place, named) in predicted.top.iter().flatten().enumerate() {
        let (rank, probability) = ((place + 1).to_string(), named.probability.to_string());
        lines
            .write_record([&predicted.image, &rank, &named.name, &probability])
            .map_err(|e| problem(&e))?;
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
    top_k: usize,
    printer: &Printer,
) -> Result<Vec<Predicted>, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let mut predictions = Vec::with_capacity(items.len());
    classifier.predict_each(items, decoding_threads(), &mut |result| {
        predictions.push(Predicted::from_result(result, top_k));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    Ok(predictions)
}

impl Predicted {
    fn from_result(result: PredictionResult, top_k: usize) -> Self {
        match result {
            Ok(prediction) => Self::new(&prediction, top_k),
            Err((path, error)) => Self {
                image: path.display().to_string(),
                top: None,
                error: Some(with_causes(&error)),
            },
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
            error: None,
        }
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
