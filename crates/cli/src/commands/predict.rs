//! `promptsrc predict`: classifies images and prints the probabilities of class names.

use std::path::PathBuf;

use promptsrc::{Classifier, Item, Prediction};
use promptsrc_clip::templates;
use serde::Serialize;

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
    } = settings;
    let predictions = match what {
        Predicting::ZeroShot { clip, names } => {
            let clip = clip.open(printer)?;
            let classifier = Classifier::zero_shot(&clip, &names, &[templates::PHOTO])?;
            let exif = exif.unwrap_or(false);
            predict(&classifier, &images, exif, top_k, printer)?
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
            let classifier = loaded.adapter.classifier(&loaded.clip, &names)?;
            predict(&classifier, &images, exif, top_k, printer)?
        }
    };
    print(&predictions, allow_unreadable, printer)
}

fn predict(
    classifier: &Classifier,
    images: &[PathBuf],
    exif: bool,
    top_k: usize,
    printer: &Printer,
) -> Result<Vec<Predicted>, Failure> {
    let bar = printer.bar(images.len() as u64, "images");
    let item = |path| Item::new(path, 0).upright(exif);
    let items = images.iter().map(item).collect();
    let mut predictions = Vec::with_capacity(images.len());
    classifier.predict_each(items, decoding_threads(), &mut |result| {
        predictions.push(match result {
            Ok(prediction) => Predicted::new(&prediction, top_k),
            Err((path, error)) => Predicted {
                image: path.display().to_string(),
                top: None,
                error: Some(with_causes(&error)),
            },
        });
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    Ok(predictions)
}

impl Predicted {
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
    match failed.len() {
        0 => Ok(()),
        n if allow_unreadable && n < predictions.len() => Ok(()),
        n => Err(Failure::failed(format!(
            "{n} of {} images could not be read",
            predictions.len()
        ))),
    }
}
