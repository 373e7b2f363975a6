//! `promptsrc embed`: writes features of images and texts to a safetensors file.

use std::path::PathBuf;

use promptsrc::{Clip, ImageBatches, Item};
use promptsrc_clip::{Tokenizer, values};
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
}

#[derive(Serialize)]
struct Summary {
    out: String,
    images: usize,
    texts: usize,
    embed_dim: usize,
}

pub fn run(settings: &EmbedSettings, printer: &Printer) -> Result<(), Failure> {
    let EmbedSettings {
        images, texts, out, ..
    } = settings;
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
        let features = image_features(&clip, images, printer)?;
        add("image_features", images.len(), features);
    }
    if !texts.is_empty() {
        let features = text_features(&clip, texts, settings.truncate)?;
        add("text_features", texts.len(), features);
    }
    let record = Record {
        clip: clip.record().name.clone(),
        fingerprint: clip.record().fingerprint.clone(),
        precision: clip.precision().to_string(),
        version: env!("CARGO_PKG_VERSION"),
        images: images.iter().map(|p| p.display().to_string()).collect(),
        texts: texts.clone(),
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
    };
    printer.answer(&summary, || {
        format!(
            "{}: features of {} images and {} texts, {embed_dim} values each",
            summary.out, summary.images, summary.texts
        )
    })
}

fn image_features(clip: &Clip, images: &[PathBuf], printer: &Printer) -> Result<Vec<f32>, Failure> {
    let bar = printer.bar(images.len() as u64, "images");
    let items = images.iter().map(|path| Item::new(path, 0)).collect();
    let mut features = Vec::new();
    for batch in ImageBatches::new(clip, items, decoding_threads())? {
        let batch = batch?;
        let images = clip.vision().images(batch.images, batch.n);
        features.extend(values(clip.image_features(images)));
        bar.inc(batch.n as u64);
    }
    bar.finish_and_clear();
    Ok(features)
}

fn text_features(clip: &Clip, texts: &[String], truncate: bool) -> Result<Vec<f32>, Failure> {
    let length = clip.text().context_length();
    let tokens = texts
        .iter()
        .map(|text| Tokenizer::clip().tokenize(text, length, truncate))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Failure::failed(format!("{e}; give --truncate to cut such texts")))?;
    Ok(values(clip.text().encode(&tokens)?))
}
