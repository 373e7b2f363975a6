//! The JSON configuration beside weights: what the tensors do not say.

mod description;
mod hugging_face;
mod image_processor;
mod open_clip;
mod section;

use std::path::Path;

use serde_json::Value;

use super::error::WeightError;

pub(super) use description::{Dimension, Heads, Sidecar, TokenizerSource};
pub(super) use section::read_json;

pub(super) const HUGGING_FACE: &str = "config.json";
pub(super) const OPEN_CLIP: &str = "open_clip_config.json";

/// Reads Hugging Face's `config.json`, and the description of the image processor beside it.
pub(super) fn hugging_face(path: &Path) -> Result<Sidecar, WeightError> {
    hugging_face::read(path)
}

/// Reads OpenCLIP's `open_clip_config.json`.
pub(super) fn open_clip(path: &Path) -> Result<Sidecar, WeightError> {
    open_clip::read(path)
}

/// Whether a `config.json` is of a CLIP in Hugging Face's form; other libraries use that name too.
pub(super) fn is_clip(path: &Path) -> Result<bool, WeightError> {
    let json = read_json(path)?;
    Ok(match json.get("model_type").and_then(Value::as_str) {
        Some(kind) => kind == "clip" || kind == "metaclip_2",
        None => json.get("vision_config").is_some(),
    })
}
