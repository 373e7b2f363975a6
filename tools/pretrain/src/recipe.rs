//! What determines the weights of a pretrained CLIP: its size, and how it is trained.

use promptsrc_clip::ClipConfig;
use promptsrc_clip::tokenizer::{EndOfText, START_OF_TEXT};
use promptsrc_clip::weights::{Activation, TextConfig, VisionConfig};
use promptsrc_image::Preprocess;
use serde::{Deserialize, Serialize};

use crate::adamw::AdamW;
use crate::vocabulary::CONTEXT_LENGTH;

/// Pairs of a part of a batch; their activations fit a core's cache.
pub const PART: usize = 16;

/// What determines the weights.
#[derive(clap::Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Seed of the initial weights and of the stream of images.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of steps.
    #[arg(long, default_value_t = 9000)]
    pub steps: usize,
    /// Pairs per step, a multiple of 16.
    #[arg(long, default_value_t = 128)]
    pub batch: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 4e-4)]
    pub lr: f64,
    /// Weight decay.
    #[arg(long, default_value_t = 0.05)]
    pub weight_decay: f64,
    /// Number of warm-up steps.
    #[arg(long, default_value_t = 100)]
    pub warmup: usize,
    /// Width of the features.
    #[arg(long, default_value_t = 64)]
    pub embed_dim: usize,
    /// Width of the image tower, a multiple of 64.
    #[arg(long, default_value_t = 128)]
    pub vision_width: usize,
    /// Blocks of the image tower.
    #[arg(long, default_value_t = 4)]
    pub vision_layers: usize,
    /// Side of a patch, in pixels; a divisor of 48.
    #[arg(long, default_value_t = 8)]
    pub patch: usize,
    /// Width of the text tower, a multiple of 64.
    #[arg(long, default_value_t = 64)]
    pub text_width: usize,
    /// Blocks of the text tower.
    #[arg(long, default_value_t = 3)]
    pub text_layers: usize,
}

impl Recipe {
    /// The configuration of the CLIP.
    pub fn clip(&self, vocab_size: usize) -> ClipConfig {
        ClipConfig {
            embed_dim: self.embed_dim,
            vision: VisionConfig {
                width: self.vision_width,
                layers: self.vision_layers,
                heads: self.vision_width / 64,
                mlp_width: 4 * self.vision_width,
                patch_size: self.patch,
                resolution: promptsrc_world::SIDE as usize,
            },
            text: TextConfig {
                width: self.text_width,
                layers: self.text_layers,
                heads: self.text_width / 64,
                mlp_width: 4 * self.text_width,
                context_length: CONTEXT_LENGTH,
                vocab_size,
                start_of_text: START_OF_TEXT,
                end_of_text: EndOfText::Greatest,
            },
            activation: Activation::QuickGelu,
            layer_norm_eps: ClipConfig::LAYER_NORM_EPS,
            preprocess: Preprocess::clip(promptsrc_world::SIDE),
        }
    }

    /// Fails where options do not fit together.
    pub fn check(&self) -> Result<(), String> {
        let side = promptsrc_world::SIDE as usize;
        if self.batch == 0 || !self.batch.is_multiple_of(PART) {
            return Err(format!("--batch must be a multiple of {PART}"));
        }
        if self.patch == 0 || !side.is_multiple_of(self.patch) {
            return Err(format!("--patch must divide {side}"));
        }
        for (option, width) in [
            ("--vision-width", self.vision_width),
            ("--text-width", self.text_width),
        ] {
            if width == 0 || !width.is_multiple_of(64) {
                return Err(format!("{option} must be a multiple of 64"));
            }
        }
        match self.vision_layers.min(self.text_layers).min(self.embed_dim) {
            0 => Err("--vision-layers, --text-layers and --embed-dim must be at least 1".into()),
            _ => Ok(()),
        }
    }

    /// The optimiser.
    pub fn adam(&self) -> AdamW {
        AdamW {
            lr: self.lr,
            weight_decay: self.weight_decay,
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-6,
            clip_norm: 1.0,
            warmup_steps: self.warmup,
            steps: self.steps,
        }
    }
}
