//! Files of a pretraining run: the state for resuming it, and the CLIP for use elsewhere.

use std::path::Path;

use half::f16;
use promptsrc_clip::ClipConfig;
use promptsrc_files::tensor_file::{self, NamedTensor, TensorFileError};
use promptsrc_files::{SaveError, write_atomically};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

use crate::adamw::Moments;
use crate::parameters::Values;
use crate::trainer::State;
use crate::vocabulary::Vocabulary;

const VERSION: u32 = 1;

/// What a state file says of its state.
#[derive(Serialize, Deserialize)]
struct Record<R> {
    format_version: u32,
    step: usize,
    recipe: R,
}

/// Saves everything that resuming needs.
pub fn save_state(path: &Path, state: &State, recipe: &impl Serialize) -> Result<(), SaveError> {
    let group = |kind: &'static str, values: &Values| {
        let tensors = values.iter().map(move |(name, values)| NamedTensor {
            name: format!("{kind}/{name}"),
            shape: vec![values.len()],
            values: tensor_file::Values::F32(values.clone()),
        });
        tensors.collect::<Vec<_>>()
    };
    let tensors = [
        group("weight", &state.weights),
        group("first", &state.moments.first),
        group("second", &state.moments.second),
    ]
    .concat();
    let record = Record {
        format_version: VERSION,
        step: state.step,
        recipe,
    };
    tensor_file::save(path, &tensors, Some(&record))
}

/// Reads a state and the recipe that it was made with.
pub fn load_state<R: for<'a> Deserialize<'a>>(path: &Path) -> Result<(State, R), TensorFileError> {
    let (tensors, record) = tensor_file::load::<Record<R>>(path, "a pretraining state", VERSION)?;
    let mut state = State {
        step: record.step,
        weights: Values::new(),
        moments: Moments::default(),
    };
    for tensor in tensors {
        let (Some((kind, name)), tensor_file::Values::F32(values)) =
            (tensor.name.split_once('/'), tensor.values)
        else {
            continue;
        };
        let group = match kind {
            "weight" => &mut state.weights,
            "first" => &mut state.moments.first,
            _ => &mut state.moments.second,
        };
        group.insert(name.to_string(), values);
    }
    Ok((state, record.recipe))
}

/// Writes a CLIP in OpenAI's naming, in f16, with the whole standard vocabulary.
pub fn export(
    path: &Path,
    config: &ClipConfig,
    weights: &Values,
    vocabulary: &Vocabulary,
) -> Result<(), SaveError> {
    let failed = |e: safetensors::SafeTensorError| SaveError {
        path: path.into(),
        source: std::io::Error::other(e.to_string()),
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = config
        .tensors()
        .into_iter()
        .filter_map(|(name, mut shape)| {
            let mut values = weights.get(&name)?.clone();
            if name == "token_embedding.weight" {
                values = vocabulary.full_table(&values);
                shape[0] = crate::vocabulary::FULL;
            }
            let bytes = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes());
            let bytes = bytes.collect();
            Some((name, shape, bytes))
        })
        .collect();
    let mut views = Vec::new();
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(Dtype::F16, shape.clone(), bytes).map_err(failed)?;
        views.push((name.as_str(), view));
    }
    let file = safetensors::serialize(views, None).map_err(failed)?;
    write_atomically(path, &file)
}
