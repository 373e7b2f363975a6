//! The adapter file: what a run has learned, and what it takes to use it anywhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{Method, TrainConfig};
use crate::prompts::{Prompts, PromptsError};
use promptsrc_files::SaveError;
use promptsrc_files::tensor_file::{self, NamedTensor, TensorFileError, Values};

/// The newest format that this program reads, and the one it writes.
const FORMAT_VERSION: u32 = 1;

/// Learned prompts with their record: about 200 kB for ViT-B/16. It classifies among any class
/// names, those it was trained on and others.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// The prompts, aggregated where the run aggregates.
    pub prompts: Prompts,
    /// The record.
    pub meta: AdapterMeta,
}

/// What an adapter says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterMeta {
    /// Version of the file's format.
    pub format_version: u32,
    /// The method.
    pub method: Method,
    /// The class names it was trained on, in label order.
    pub class_names: Vec<String>,
    /// The prompt around a class name; its learnable tokens are overwritten.
    pub template: String,
    /// The CLIP that it belongs to.
    pub clip: ClipRecord,
    /// How images must be prepared.
    pub preprocessing: PreprocessingRecord,
    /// The images that it was trained on.
    pub data: DataRecord,
    /// Precision of the training arithmetic.
    pub precision: String,
    /// The full configuration.
    pub config: TrainConfig,
    /// What the training showed, by name (losses of the last epoch, counts).
    pub metrics: BTreeMap<String, f64>,
}

/// A CLIP, as an adapter remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipRecord {
    /// Name of its file, folder or hub repository.
    pub name: String,
    /// Fingerprint of its weights: the same for the same numbers in any file format.
    pub fingerprint: String,
    /// Width of its features.
    pub embed_dim: usize,
    /// Width and layers of the image tower.
    pub vision: [usize; 2],
    /// Width and layers of the text tower.
    pub text: [usize; 2],
}

/// Preprocessing, as an adapter remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreprocessingRecord {
    /// Side of the square image, in pixels.
    pub resolution: usize,
    /// Mean that is taken off each channel.
    pub mean: [f32; 3],
    /// Deviation that each channel is divided by.
    pub std: [f32; 3],
    /// Resampling.
    pub interpolation: String,
}

/// Training data, as an adapter remembers them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Name of the data set.
    pub name: String,
    /// Name of the split file, where one was given.
    pub split: Option<String>,
    /// "all", "base" or "novel".
    pub classes: String,
    /// Shots a class; none: all images.
    pub shots: Option<usize>,
    /// Images it was trained on.
    pub images: usize,
    /// Seed of the few-shot picks.
    pub seed: u64,
}

/// An adapter that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// The file.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// Its prompts.
    #[error("{}: {source}", path.display())]
    Prompts {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with the prompts.
        source: PromptsError,
    },
}

impl AdapterMeta {
    /// The version that this program writes.
    pub const FORMAT_VERSION: u32 = FORMAT_VERSION;
}

impl Adapter {
    /// Saves the adapter, all or nothing.
    pub fn save(&self, path: &Path) -> Result<(), SaveError> {
        let tensors: Vec<NamedTensor> = self
            .prompts
            .iter()
            .map(|p| NamedTensor {
                name: p.name.clone(),
                shape: p.shape.to_vec(),
                values: Values::F32(p.values.clone()),
            })
            .collect();
        tensor_file::save(path, &tensors, Some(&self.meta))
    }

    /// Loads an adapter. It is checked as a file; whether it fits a CLIP is asked where it is used.
    pub fn load(path: &Path) -> Result<Self, AdapterError> {
        let (tensors, meta) = tensor_file::load(path, "an adapter", FORMAT_VERSION)?;
        let named = tensors.into_iter().map(|t| {
            let values = match t.values {
                Values::F32(values) => values,
                Values::F64(values) => values.into_iter().map(|v| v as f32).collect(),
            };
            (t.name, t.shape, values)
        });
        let prompts = Prompts::from_named(named).map_err(|source| AdapterError::Prompts {
            path: path.into(),
            source,
        })?;
        Ok(Self { prompts, meta })
    }
}
