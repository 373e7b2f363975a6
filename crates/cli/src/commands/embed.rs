//! `promptsrc embed`: writes features of images and texts to a safetensors file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use promptsrc::{Clip, ImageBatches, Item};
use promptsrc_clip::values;
use promptsrc_datasets::unreadable_warning;
use promptsrc_files::tensor_file::{self, NamedTensor, Values};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{EmbedSettings, decoding_threads};

#[derive(Serialize)]
struct Record {
    clip: String,
    fingerprint: String,
    precision: String,
    version: &'static str,
    images: Vec<String>,
    texts: Vec<String>,
    /// Whether the images were turned by their EXIF orientation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exif: bool,
}

#[derive(Serialize)]
struct Summary {
    out: String,
    images: usize,
    texts: usize,
    embed_dim: usize,
    /// Images that could not be decoded and were left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

pub fn run(settings: &EmbedSettings, printer: &Printer) -> Result<(), Failure> {
    let EmbedSettings { texts, out, .. } = settings;
    let mut images: Vec<&PathBuf> = settings.images.iter().collect();
    let mut unreadable = Vec::new();
    let clip = settings.clip.open(printer)?;
    let embed_dim = clip.config().embed_dim;

    let mut tensors = Vec::new();
    let mut add = |name: &str, rows: usize, values: Vec<f32>| {
        tensors.push(NamedTensor {
            name: name.to_string(),
            shape: vec![rows, embed_dim],
            values: Values::F32(values),
        });
    };
    if !images.is_empty() {
        let (features, left_out) = image_features(&clip, settings, printer)?;
        let mut place = 0;
        images.retain(|path| {
            place += 1;
            let is_left_out = left_out.contains(&(place - 1));
            if is_left_out {
                unreadable.push(path.display().to_string());
            }
            !is_left_out
        });
        add("image_features", images.len(), features);
    }
    if !texts.is_empty() {
        let features = text_features(&clip, texts, settings.truncate)?;
        add("text_features", texts.len(), features);
    }
    for tensor in &tensors {
        if let Values::F32(values) = &tensor.values
            && let Some(value) = values.iter().find(|value| !value.is_finite())
        {
            return Err(Failure::failed(format!(
                "{}: the {} contain {value}, although its weights are finite: they overflow in the \
                 precision {}",
                clip.source(),
                tensor.name.replace('_', " "),
                clip.precision()
            )));
        }
    }
    let record = Record {
        clip: clip.record().name.clone(),
        fingerprint: clip.record().fingerprint.clone(),
        precision: clip.precision().to_string(),
        version: env!("CARGO_PKG_VERSION"),
        images: images.iter().map(|p| p.display().to_string()).collect(),
        texts: texts.clone(),
        exif: settings.exif && !images.is_empty(),
    };
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| Failure::failed(format!("--out {}: {e}", out.display())))?;
    }
    tensor_file::save(out, &tensors, Some(&record))?;
    let summary = Summary {
        out: out.display().to_string(),
        images: images.len(),
        texts: texts.len(),
        embed_dim,
        unreadable,
    };
    printer.answer(&summary, || {
        format!(
            "{}: features of {} images and {} texts, {embed_dim} values each",
            summary.out, summary.images, summary.texts
        )
    })
}

/// The features of the images that can be decoded, and the places of the others.
fn image_features(
    clip: &Clip,
    settings: &EmbedSettings,
    printer: &Printer,
) -> Result<(Vec<f32>, BTreeSet<usize>), Failure> {
    let images = &settings.images;
    let bar = printer.bar(images.len() as u64, "images");
    let item = |path| Item::new(path, 0).upright(settings.exif);
    let items = images.iter().map(item).collect();
    let mut features = Vec::new();
    let mut failures = Vec::new();
    let mut batches = ImageBatches::new(clip, items, decoding_threads())?;
    while let Some((batch, failed)) = batches.next_with_failures() {
        bar.inc((batch.n + failed.len()) as u64);
        failures.extend(failed);
        // Without the option, the others are decoded only to name all that cannot be.
        if batch.n > 0 && (settings.allow_unreadable || failures.is_empty()) {
            let images = clip.vision().images(batch.images, batch.n);
            features.extend(values(clip.image_features(images)));
        }
    }
    bar.finish_and_clear();
    let left_out = failures.iter().map(|(place, _)| *place).collect();
    let errors = failures.into_iter().map(|(_, error)| error).collect();
    let allow = settings.allow_unreadable;
    if let Some(warning) = unreadable_warning(errors, images.len(), allow)? {
        printer.warning(&warning);
    }
    Ok((features, left_out))
}

fn text_features(clip: &Clip, texts: &[String], truncate: bool) -> Result<Vec<f32>, Failure> {
    let length = clip.text().context_length();
    let tokens = texts
        .iter()
        .map(|text| clip.tokenizer().tokenize(text, length, truncate))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Failure::failed(format!("{e}; give --truncate to cut such texts")))?;
    Ok(values(clip.text().encode(&tokens)?))
}
