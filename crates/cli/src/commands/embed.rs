//! `promptsrc embed`: features of images and texts to a safetensors file.

use std::path::Path;

use promptsrc::train::preprocess;
use promptsrc_clip::{ClipModel, Tokenizer, values};
use promptsrc_datasets::{Batch, EvalLoader, Item, LoaderOptions};
use promptsrc_files::tensor_file::{self, NamedTensor, Values};
use serde::Serialize;

use crate::args::{Common, EmbedArgs};
use crate::failure::Failure;
use crate::output::Printer;
use crate::resolve;

/// Images that are encoded at once.
const BATCH: usize = 16;

#[derive(Serialize)]
struct Record {
    clip: String,
    fingerprint: String,
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

pub fn run(args: &EmbedArgs, common: &Common, printer: &Printer) -> Result<(), Failure> {
    // All that can be wrong with the options is found before the weights are read.
    check_out(&args.out)?;
    let images = resolve::images(&args.images)?;
    let texts = match &args.texts {
        Some(file) => resolve::lines(file)?,
        None => Vec::new(),
    };
    let loaded = resolve::clip(&args.clip, common, printer)?;
    let clip = &loaded.clip;
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
        let items = images.iter().map(|path| Item::new(path, 0)).collect();
        add(
            "image_features",
            images.len(),
            image_features(clip, items, printer)?,
        );
    }
    if !texts.is_empty() {
        add(
            "text_features",
            texts.len(),
            text_features(clip, &texts, args)?,
        );
    }
    let record = Record {
        clip: loaded.name.clone(),
        fingerprint: loaded.weights.fingerprint()?,
        images: images.iter().map(|p| p.display().to_string()).collect(),
        texts: texts.clone(),
    };
    tensor_file::save(&args.out, &tensors, Some(&record))?;
    let summary = Summary {
        out: args.out.display().to_string(),
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

/// Fails where no file can be saved to a path. The file is renamed to this path, so what exists there
/// must be a file: a device or a pipe would be replaced.
fn check_out(path: &Path) -> Result<(), Failure> {
    let problem = if path.exists() && !path.is_file() {
        "is not an ordinary file; give the name of a file to write".to_string()
    } else {
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                format!("there is no folder {}; create it first", folder.display())
            }
            _ => return Ok(()),
        }
    };
    Err(Failure::failed(format!(
        "--out {}: {problem}",
        path.display()
    )))
}

fn image_features(
    clip: &ClipModel,
    items: Vec<Item>,
    printer: &Printer,
) -> Result<Vec<f32>, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let threads = resolve::decoding_threads();
    let options = LoaderOptions {
        threads,
        ..LoaderOptions::new(BATCH)
    };
    let mut features = Vec::new();
    for batch in EvalLoader::new(items, preprocess(clip), options)?.batches() {
        let Batch { images, labels, .. } = batch?;
        let images = clip.vision().images(images, labels.len());
        features.extend(values(clip.image_features(images)));
        bar.inc(labels.len() as u64);
    }
    bar.finish_and_clear();
    Ok(features)
}

fn text_features(
    clip: &ClipModel,
    texts: &[String],
    args: &EmbedArgs,
) -> Result<Vec<f32>, Failure> {
    let length = clip.text().context_length();
    let tokens = texts
        .iter()
        .map(|text| Tokenizer::clip().tokenize(text, length, args.truncate))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Failure::failed(format!("{e}; --truncate cuts such texts")))?;
    Ok(values(clip.text().encode(&tokens)?))
}
