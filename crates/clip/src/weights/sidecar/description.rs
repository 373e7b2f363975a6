//! What a configuration beside weights says, whichever library wrote it.

use std::path::{Path, PathBuf};

use promptsrc_image::{Preprocess, Resize};
use promptsrc_kernels::Activation;

use crate::tokenizer::{Cleaning, EndOfText};
use crate::weights::config::ClipConfig;
use crate::weights::error::WeightError;

/// What a configuration file says.
#[derive(Debug)]
pub(in crate::weights) struct Sidecar {
    pub(in crate::weights) path: PathBuf,
    pub(in crate::weights) activation: Activation,
    pub(in crate::weights) layer_norm_eps: f32,
    pub(in crate::weights) vision_heads: Heads,
    pub(in crate::weights) text_heads: usize,
    /// Side of the images in pixels, with its key.
    pub(in crate::weights) image_size: Option<(&'static str, usize)>,
    pub(in crate::weights) preprocess: Processing,
    pub(in crate::weights) texts: Texts,
    /// Dimensions that the tensors have as well, to be compared with them.
    pub(in crate::weights) stated: Vec<(&'static str, Dimension, usize)>,
    /// What was assumed, for people to read.
    pub(in crate::weights) notes: Vec<String>,
}

/// How texts become tokens, and where their feature is read.
#[derive(Clone, Debug)]
pub(in crate::weights) struct Texts {
    pub(in crate::weights) tokenizer: TokenizerSource,
    pub(in crate::weights) end: EndOfText,
    /// The key that says where the feature is read.
    pub(in crate::weights) end_key: &'static str,
}

/// Where the tokenizer is.
#[derive(Clone, Debug)]
pub(in crate::weights) enum TokenizerSource {
    /// CLIP's own, with this cleaning.
    Clip(Cleaning),
    /// The one whose files are beside the weights, as transformers reads it.
    Folder {
        /// Whether CLIP's own is meant where there are none.
        or_clip: bool,
    },
    /// The one that OpenCLIP takes from the hub under this name.
    Named { name: String, cleaning: Cleaning },
}

/// Preprocessing as a file describes it; the side of the input may be missing in it.
#[derive(Clone, Debug)]
pub(in crate::weights) struct Processing {
    /// The file.
    pub(in crate::weights) path: PathBuf,
    /// The side of the input with the key that says it.
    pub(in crate::weights) side: Option<(&'static str, usize)>,
    /// Everything; sides of 0 are to be filled in.
    pub(in crate::weights) preprocess: Preprocess,
}

impl Processing {
    /// The preprocessing for the image tower's resolution.
    pub(in crate::weights) fn of(&self, resolution: usize) -> Result<Preprocess, WeightError> {
        if let Some((field, side)) = self.side.filter(|(_, side)| *side != resolution) {
            return Err(WeightError::ConfigMismatch {
                path: self.path.clone(),
                field,
                stated: side,
                found: resolution,
            });
        }
        let resolution = resolution as u32;
        let mut preprocess = Preprocess {
            resolution,
            ..self.preprocess
        };
        if preprocess.resize == Resize::Shortest(0) {
            preprocess.resize = Resize::Shortest(resolution);
        }
        Ok(preprocess)
    }
}

#[derive(Clone, Copy, Debug)]
pub(in crate::weights) enum Heads {
    Count(usize),
    /// The width of one head.
    Width(usize),
}

#[derive(Clone, Copy, Debug)]
pub(in crate::weights) enum Dimension {
    Embed,
    VisionWidth,
    VisionLayers,
    VisionMlp,
    Patch,
    TextWidth,
    TextLayers,
    TextMlp,
    Context,
    Vocabulary,
}

pub(super) fn only_stated<const N: usize>(
    fields: [(&'static str, Dimension, Option<usize>); N],
) -> Vec<(&'static str, Dimension, usize)> {
    fields
        .into_iter()
        .filter_map(|(name, dimension, value)| Some((name, dimension, value?)))
        .collect()
}

/// The eps of layer normalisation, which must be the same in both towers.
pub(super) fn eps(path: &Path, towers: [Option<f64>; 2]) -> Result<f32, WeightError> {
    let problem = |problem: String| WeightError::Config {
        path: path.to_path_buf(),
        problem,
    };
    let [vision, text] = towers.map(|eps| eps.map_or(ClipConfig::LAYER_NORM_EPS, |eps| eps as f32));
    if vision != text {
        return Err(problem(format!(
            "the eps of layer normalisation is {vision} in the image tower and {text} in the text tower"
        )));
    }
    match vision.is_finite() && vision >= 0.0 {
        true => Ok(vision),
        false => Err(problem(format!(
            "the eps of layer normalisation is {vision}, expected a small positive number"
        ))),
    }
}

/// Mean and standard deviation of the colour channels, or OpenAI's.
pub(super) fn colours(
    path: &Path,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
) -> Result<([f32; 3], [f32; 3]), WeightError> {
    let mean = mean.unwrap_or(promptsrc_image::CLIP_MEAN);
    let std = std.unwrap_or(promptsrc_image::CLIP_STD);
    if mean.iter().all(|m| m.is_finite()) && std.iter().all(|s| s.is_finite() && *s > 0.0) {
        return Ok((mean, std));
    }
    Err(WeightError::Config {
        path: path.to_path_buf(),
        problem: format!(
            "the colour channels have mean {mean:?} and standard deviation {std:?}, expected finite and positive numbers"
        ),
    })
}
