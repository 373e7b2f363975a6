//! The shape of a CLIP, from its frozen weights in a checkpoint.

use std::borrow::Cow;

use promptsrc_pickle::TorchFile;

use super::state_dict::{names, tensor};
use promptsrc::records::{ClipRecord, ClipSettingsRecord, PreprocessingRecord};
use promptsrc_clip::{Activation, ClipConfig};
use promptsrc_image::Preprocess;

/// The shape of a CLIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipShape {
    /// Width of its features.
    pub embed_dim: usize,
    /// Width and layers of the image tower.
    pub vision: [usize; 2],
    /// Width and layers of the text tower.
    pub text: [usize; 2],
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Side of the square image, in pixels.
    pub resolution: usize,
}

impl ClipShape {
    /// The shape of the CLIP in a file; `None` where the file does not have both towers.
    pub(super) fn of(file: &TorchFile) -> Option<Self> {
        let shape = |wanted: &str| tensor(file, wanted).map(|info| info.shape());
        let layers = |tower: &str| {
            let prefix = format!("{tower}.transformer.resblocks.");
            let is_layer = |name: Cow<str>| {
                let layer = name
                    .strip_prefix(&prefix)
                    .and_then(|l| l.strip_suffix(".ln_1.weight"));
                layer.is_some_and(|layer| layer.parse::<usize>().is_ok())
            };
            names(file).filter(|name| is_layer(name.clone())).count()
        };
        let &[width, _, _, patch_size] = shape("image_encoder.conv1.weight")? else {
            return None;
        };
        let &[positions, _] = shape("image_encoder.positional_embedding")? else {
            return None;
        };
        let &[_, embed_dim] = shape("image_encoder.proj")? else {
            return None;
        };
        let &[text_width] = shape("text_encoder.ln_final.weight")? else {
            return None;
        };
        Some(Self {
            embed_dim,
            vision: [width, layers("image_encoder")],
            text: [text_width, layers("text_encoder")],
            patch_size,
            resolution: positions.checked_sub(1)?.isqrt().checked_mul(patch_size)?,
        })
    }

    /// OpenAI's name of a CLIP of this shape.
    pub fn name(&self) -> &'static str {
        match (self.vision, self.patch_size, self.resolution) {
            ([768, 12], 32, 224) => "ViT-B/32",
            ([768, 12], 16, 224) => "ViT-B/16",
            ([1024, 24], 14, 224) => "ViT-L/14",
            ([1024, 24], 14, 336) => "ViT-L/14@336px",
            _ => "unknown",
        }
    }

    pub(super) fn record(&self) -> ClipRecord {
        ClipRecord {
            name: self.name().to_string(),
            // The checkpoint's weights are not exactly CLIP's.
            fingerprint: String::new(),
            embed_dim: self.embed_dim,
            vision: self.vision,
            text: self.text,
            settings: Some(ClipSettingsRecord {
                activation: Activation::QuickGelu,
                layer_norm_eps: ClipConfig::LAYER_NORM_EPS,
                heads: [self.vision[0], self.text[0]].map(ClipConfig::openai_heads),
                tokenizer: None,
            }),
        }
    }

    pub(super) fn preprocessing(&self) -> PreprocessingRecord {
        PreprocessingRecord::of(&Preprocess::clip(self.resolution as u32))
    }
}
