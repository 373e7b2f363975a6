//! `promptsrc predict`: images to probabilities of class names.

use std::collections::HashSet;
use std::path::PathBuf;

use promptsrc::train::preprocess;
use promptsrc::{Classifier, ClipModel};
use promptsrc_clip::templates;
use promptsrc_image::{Limits, open};
use rayon::prelude::*;
use serde::Serialize;

use crate::args::{Common, PredictArgs};
use crate::failure::{Failure, with_causes};
use crate::output::Printer;
use crate::resolve;

/// Images that are classified at once.
const BATCH: usize = 16;

/// The most probable class names of an image, or why there are none.
#[derive(Serialize)]
pub struct Prediction {
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

pub fn run(args: &PredictArgs, common: &Common, printer: &Printer) -> Result<(), Failure> {
    print(&predictions(args, common, printer)?, printer)
}

/// The predictions that `args` ask for.
pub fn predictions(
    args: &PredictArgs,
    common: &Common,
    printer: &Printer,
) -> Result<Vec<Prediction>, Failure> {
    let typed = names(args)?;
    if args.zero_shot {
        let Some(names) = typed else {
            return Err(Failure::usage(
                "--zero-shot needs class names: --names or --names-file",
            ));
        };
        let images = resolve::images(&args.inputs)?;
        let spec = args.clip.as_deref().unwrap_or_default();
        let loaded = resolve::clip(spec, common, printer)?;
        let template = [templates::PHOTO.to_string()];
        let classifier = Classifier::zero_shot(&loaded.clip, &names, &template)?;
        return Ok(predict(
            &loaded.clip,
            &classifier,
            &images,
            args.top_k,
            printer,
        ));
    }
    let Some((run, images)) = args.inputs.split_first().filter(|(_, p)| !p.is_empty()) else {
        return Err(Failure::usage(
            "give the run and at least one image: predict RUN IMAGE...",
        ));
    };
    let images = resolve::images(images)?;
    let loaded = resolve::run(run, args.clip.as_deref(), common, printer)?;
    let names = typed.unwrap_or_else(|| loaded.adapter.meta.class_names.clone());
    if names.is_empty() {
        return Err(Failure::usage(format!(
            "{} does not record which classes it was trained on: give class names with --names or \
             --names-file",
            run.display()
        )));
    }
    let clip = &loaded.clip.clip;
    let classifier = Classifier::prompted(clip, &loaded.adapter, &names)?;
    Ok(predict(clip, &classifier, &images, args.top_k, printer))
}

fn names(args: &PredictArgs) -> Result<Option<Vec<String>>, Failure> {
    let (option, names) = match (&args.names, &args.names_file) {
        (Some(list), _) => (
            "--names",
            list.split(',')
                .map(|n| n.trim().to_string())
                .collect::<Vec<_>>(),
        ),
        (None, Some(file)) => ("--names-file", resolve::lines(file)?),
        (None, None) => return Ok(None),
    };
    if names.iter().any(String::is_empty) {
        return Err(Failure::usage(format!(
            "{option} contains an empty class name"
        )));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|n| !seen.insert(n.as_str())) {
        return Err(Failure::usage(format!(
            "{option} contains the class name {twice:?} twice"
        )));
    }
    Ok(Some(names))
}

fn predict(
    clip: &ClipModel,
    classifier: &Classifier,
    images: &[PathBuf],
    top_k: usize,
    printer: &Printer,
) -> Vec<Prediction> {
    let preprocess = preprocess(clip);
    let limits = Limits::default();
    let bar = printer.bar(images.len() as u64, "images");
    let mut predictions = Vec::with_capacity(images.len());
    for chunk in images.chunks(BATCH) {
        let prepared: Vec<Result<Vec<f32>, String>> = chunk
            .par_iter()
            .map(|path| {
                let image = open(path, &limits).map_err(|e| with_causes(&e))?;
                preprocess
                    .apply(&image)
                    .map_err(|e| format!("{}: {}", path.display(), with_causes(&e)))
            })
            .collect();
        let good: Vec<f32> = prepared.iter().flatten().flatten().copied().collect();
        let count = prepared.iter().filter(|p| p.is_ok()).count();
        let rows = if count > 0 {
            classifier.probabilities(good, count)
        } else {
            Vec::new()
        };
        let mut rows = rows.chunks_exact(classifier.names().len());
        for (path, prepared) in chunk.iter().zip(prepared) {
            predictions.push(match prepared {
                Ok(_) => Prediction {
                    image: path.display().to_string(),
                    top: rows.next().map(|row| top(row, classifier.names(), top_k)),
                    error: None,
                },
                Err(error) => Prediction {
                    image: path.display().to_string(),
                    top: None,
                    error: Some(error),
                },
            });
        }
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    predictions
}

/// The most probable names; of equal ones the earlier name comes first.
fn top(row: &[f32], names: &[String], k: usize) -> Vec<Named> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    order
        .into_iter()
        .take(k)
        .map(|i| Named {
            name: names[i].clone(),
            probability: row[i],
        })
        .collect()
}

fn print(predictions: &[Prediction], printer: &Printer) -> Result<(), Failure> {
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
        printer.error(error);
    }
    match failed.len() {
        0 => Ok(()),
        n => Err(Failure::failed(format!(
            "{n} of {} images could not be read",
            predictions.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_probabilities_keep_the_order_of_names() {
        let names = ["a", "b", "c"].map(String::from);
        let found = top(&[0.25, 0.5, 0.25], &names, 3);
        let found: Vec<&str> = found.iter().map(|n| n.name.as_str()).collect();
        assert_eq!(found, ["b", "a", "c"]);
    }
}
