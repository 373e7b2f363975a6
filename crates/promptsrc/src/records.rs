//! Records in runs and adapters of the CLIP, its preprocessing and the images.

use promptsrc_clip::weights::Activation;
use promptsrc_clip::{ClipConfig, Tokenizer};
use promptsrc_datasets::FewShotCache;
use promptsrc_image::{CropOffset, Preprocess, Resize};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::differences::differences;

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
    /// What it computes beyond its weights; `None` in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<ClipSettingsRecord>,
}

/// Record of the settings of a CLIP that its weights do not say and that change every number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipSettingsRecord {
    /// The blocks' activation.
    pub activation: Activation,
    /// Added to the variance in layer normalisation.
    pub layer_norm_eps: f32,
    /// Attention heads of the image and of the text tower.
    pub heads: [usize; 2],
    /// The tokenizer, unless it is CLIP's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
}

impl ClipSettingsRecord {
    /// The record of a CLIP.
    pub fn of(config: &ClipConfig, tokenizer: &Tokenizer) -> Self {
        Self {
            activation: config.activation,
            layer_norm_eps: config.layer_norm_eps,
            heads: [config.vision.heads, config.text.heads],
            tokenizer: tokenizer.identity(),
        }
    }
}

/// The settings in which a CLIP differs from the one of an adapter, as text for a message. Settings
/// that are not recorded on both sides are not compared.
pub fn other_settings(
    trained: (Option<&ClipSettingsRecord>, &PreprocessingRecord),
    here: (Option<&ClipSettingsRecord>, &PreprocessingRecord),
) -> Option<String> {
    let both = trained.0.zip(here.0);
    // As text first: numbers of single precision keep their digits.
    let document = |settings: Option<&ClipSettingsRecord>, preprocessing: &PreprocessingRecord| {
        let [clip, preprocessing] = [
            serde_json::to_string(&settings),
            serde_json::to_string(preprocessing),
        ]
        .map(|text| serde_json::from_str(&text.unwrap_or_default()).unwrap_or(Value::Null));
        serde_json::json!({"clip": clip, "preprocessing": preprocessing})
    };
    differences(
        [
            &document(both.map(|both| both.0), trained.1),
            &document(both.map(|both| both.1), here.1),
        ],
        ["in training", "here"],
    )
}

/// Record of the preprocessing in an adapter. Where it does not say something, that is as in OpenAI's
/// preprocessing.
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
    /// How the image is brought to the size, unless its shorter side becomes as long as the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<String>,
    /// How the offset of the centre is rounded, unless a half goes to the even neighbour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<String>,
    /// Grey value around the image, unless it is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// Factor from bytes to the scale of mean and standard deviation, unless it is 1 / 255.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescale: Option<f64>,
}

impl PreprocessingRecord {
    /// The record of a preprocessing.
    pub fn of(preprocess: &Preprocess) -> Self {
        Self {
            resolution: preprocess.resolution as usize,
            mean: preprocess.mean,
            std: preprocess.std,
            interpolation: preprocess.interpolation.to_string(),
            resize: (preprocess.resize != Resize::Shortest(preprocess.resolution))
                .then(|| preprocess.resize.to_string()),
            crop: (preprocess.crop != CropOffset::HalfToEven).then(|| preprocess.crop.to_string()),
            fill: (preprocess.fill != 0).then_some(preprocess.fill),
            rescale: (preprocess.rescale != Preprocess::RESCALE).then_some(preprocess.rescale),
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
pub fn is_zero(count: &usize) -> bool {
    *count == 0
}
