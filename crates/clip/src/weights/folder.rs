//! The weight files of a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::WeightError;
use super::sidecar;

const EXTENSIONS: [&str; 6] = ["safetensors", "pt", "pth", "bin", "ckpt", "jit"];

/// The files that hold the weights at `path`: the file itself, those of a folder, or the parts
/// that an index names.
pub(super) fn locate(path: &Path) -> Result<Vec<PathBuf>, WeightError> {
    let metadata = fs::metadata(path).map_err(|source| WeightError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let file = if metadata.is_dir() {
        of_folder(path)?
    } else {
        path.to_path_buf()
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".index.json") {
        parts(&file)
    } else {
        Ok(vec![file])
    }
}

fn of_folder(folder: &Path) -> Result<PathBuf, WeightError> {
    let first_of = |names: &[&str]| {
        names
            .iter()
            .map(|name| folder.join(name))
            .find(|path| path.is_file())
    };
    let hugging_face = folder.join(sidecar::HUGGING_FACE);
    if hugging_face.is_file()
        && sidecar::is_clip(&hugging_face)?
        && let Some(file) = first_of(&[
            "model.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "pytorch_model.bin.index.json",
        ])
    {
        return Ok(file);
    }
    if folder.join(sidecar::OPEN_CLIP).is_file()
        && let Some(file) = first_of(&[
            "open_clip_model.safetensors",
            "open_clip_pytorch_model.safetensors",
            "open_clip_pytorch_model.bin",
        ])
    {
        return Ok(file);
    }
    only_file(folder)
}

fn only_file(folder: &Path) -> Result<PathBuf, WeightError> {
    let io = |source| WeightError::Io {
        path: folder.to_path_buf(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if EXTENSIONS.contains(&extension.to_lowercase().as_str()) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.len() > 1 {
        let names = files
            .iter()
            .map(|path| path.file_name().unwrap_or_default().to_string_lossy())
            .take(8)
            .collect::<Vec<_>>()
            .join(", ");
        return Err(WeightError::ManyWeights {
            path: folder.to_path_buf(),
            files: names,
        });
    }
    files.pop().ok_or_else(|| WeightError::NoWeights {
        path: folder.to_path_buf(),
    })
}

/// The files that an index file of Hugging Face names, in the same folder.
fn parts(index: &Path) -> Result<Vec<PathBuf>, WeightError> {
    let problem = |problem: String| WeightError::Config {
        path: index.to_path_buf(),
        problem,
    };
    let json = sidecar::read_json(index)?;
    let map = json
        .get("weight_map")
        .and_then(Value::as_object)
        .filter(|map| !map.is_empty())
        .ok_or_else(|| problem("it has no weight_map from tensors to files".to_string()))?;
    let names: BTreeSet<&str> = map.values().filter_map(Value::as_str).collect();
    names
        .into_iter()
        .map(|name| {
            let beside = Path::new(name).file_name().is_some_and(|file| file == name);
            if !beside {
                return Err(problem(format!(
                    "weight_map names {name:?}, expected a file in the same folder"
                )));
            }
            Ok(index.with_file_name(name))
        })
        .collect()
}
