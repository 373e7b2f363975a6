//! Records in runs and adapters of the CLIP, its preprocessing and the images.

use promptsrc_datasets::FewShotCache;
use promptsrc_image::Preprocess;
use serde::{Deserialize, Serialize};

use crate::trained_images::TrainedImages;

/// Record of a CLIP in runs and adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipRecord {
    /// Name of its file, folder or hub repository.
    pub name: String,
    /// Fingerprint of its weights: the same values have the same fingerprint in any file format.
    pub fingerprint: String,
    /// Dimension of its features.
    pub embed_dim: usize,
    /// Width and layers of the image tower.
    pub vision: [usize; 2],
    /// Width and layers of the text tower.
    pub text: [usize; 2],
}

/// Record of the preprocessing in an adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreprocessingRecord {
    /// Side of the square image, in pixels.
    pub resolution: usize,
    /// Mean that is subtracted from each channel.
    pub mean: [f32; 3],
    /// Standard deviation that each channel is divided by.
    pub std: [f32; 3],
    /// Interpolation of the resampling.
    pub interpolation: String,
}

impl PreprocessingRecord {
    /// The record of a preprocessing.
    pub fn of(preprocess: &Preprocess) -> Self {
        Self {
            resolution: preprocess.resolution as usize,
            mean: preprocess.mean,
            std: preprocess.std,
            interpolation: "bicubic".to_string(),
        }
    }
}

/// Record of the training images in an adapter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Name of the data set.
    pub name: String,
    /// Name of the split file, if one was given.
    pub split: Option<String>,
    /// "all", "base" or "novel".
    pub classes: String,
    /// Shots per class; `None`: all images.
    pub shots: Option<usize>,
    /// Number of images that were trained on; 0 where that is unknown, as in a converted checkpoint.
    #[serde(alias = "pictures")]
    pub images: usize,
    /// Seed of the few-shot sampling.
    pub seed: u64,
    /// Name of the file that names the classes, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names_file: Option<String>,
    /// The file of the reference that the few-shot images are from, if they were not drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot_cache: Option<FewShotCache>,
    /// Images that were left out because they could not be decoded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: usize,
    /// Whether the images were turned by their EXIF orientation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exif: bool,
    /// What the images contain; empty if it is not known.
    #[serde(default, skip_serializing_if = "TrainedImages::is_empty")]
    pub trained_on: TrainedImages,
}

/// Whether a count need not be recorded.
fn is_zero(count: &usize) -> bool {
    *count == 0
}
