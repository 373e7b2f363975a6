//! The configuration of a training run and the check that makes it valid.

use promptsrc_clip::ClipConfig;
use promptsrc_datasets::Augment;
use serde::{Deserialize, Serialize};

use crate::aggregation::{AggregationConfig, gaussian_weights};
use crate::config::bounds::{at_most, epochs, have_place, positive, within};
use crate::config::class_position::ClassPosition;
use crate::config::error::ConfigError;
use crate::config::guidance::Guidance;
use crate::losses::LossWeights;
use crate::sgd::OptimConfig;

/// Number, depth and initial words of the prompts (paper, section 3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptConfig {
    /// Learnable context tokens of the text tower, at least 1.
    pub n_ctx_text: usize,
    /// Learnable tokens of the image tower.
    pub n_ctx_vision: usize,
    /// Number of text tower blocks with their own prompts, including the input; at least 1. A
    /// number above that of the tower's blocks means all.
    pub depth_text: usize,
    /// The same for the image tower; 0 means no visual prompts.
    pub depth_vision: usize,
    /// Words that initialise the first text prompt. Used if `n_ctx_text` is at most 4 (by CoOp at
    /// any length); a longer context, or one without words, is initialised at random, with "X X
    /// ..." as prompt prefix.
    pub ctx_init: String,
    /// Whether each class learns a context of its own, which then classifies among these classes only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub class_specific: bool,
    /// Where the class name stands among the context tokens.
    #[serde(default, skip_serializing_if = "ClassPosition::is_end")]
    pub class_position: ClassPosition,
}

/// Everything that determines a training run, apart from the data and the CLIP.
///
/// The fields can be set to any value; [`check`](TrainConfig::check) rejects a configuration that
/// cannot be trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Name of the method in the registry.
    pub method: String,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step.
    pub batch_size: usize,
    /// Seed of the few-shot sampling, the initial parameters, the image order and the augmentation.
    pub seed: u64,
    /// Smallest fraction of an image's area that a random crop covers in training; with 1, a crop
    /// only changes the aspect ratio.
    #[serde(default = "published_crop_scale")]
    pub crop_scale: f64,
    /// The prompts.
    pub prompts: PromptConfig,
    /// The optimiser.
    pub optim: OptimConfig,
    /// Weights of the self-regulations; `None`: cross-entropy only.
    pub regularisation: Option<LossWeights>,
    /// Guidance by the frozen text features; `None`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance: Option<Guidance>,
    /// Aggregation over the epochs; `None`: the parameters of the last epoch.
    pub aggregation: Option<AggregationConfig>,
    /// Templates whose mean is the frozen text feature; each contains `{}` at least once.
    pub templates: Vec<String>,
}

/// The reference's minimum crop scale, which is torchvision's default (`INPUT.RRCROP_SCALE`).
pub(crate) fn published_crop_scale() -> f64 {
    Augment::default().scale.0
}

impl TrainConfig {
    /// Rejects a configuration that cannot be trained.
    pub fn check(&self) -> Result<(), ConfigError> {
        epochs(self.epochs)?;
        positive("batch-size", self.batch_size)?;
        positive("text-context", self.prompts.n_ctx_text)?;
        positive("text-depth", self.prompts.depth_text)?;
        if self.prompts.depth_vision > 0 {
            positive("vision-context", self.prompts.n_ctx_vision)?;
        }
        at_most("vision-context", self.prompts.n_ctx_vision, 1_000)?;
        at_most("text-context", self.prompts.n_ctx_text, 1_000)?;
        within("crop-scale", self.crop_scale, 1e-4, 1.0)?;
        within("lr", self.optim.lr, 0.0, 1e3)?;
        within("warmup-lr", self.optim.warmup_lr, 0.0, 1e3)?;
        within("momentum", self.optim.momentum, 0.0, 1.0)?;
        within("dampening", self.optim.dampening, 0.0, 1.0)?;
        within("weight-decay", self.optim.weight_decay, 0.0, 1e3)?;
        if self.optim.nesterov && (self.optim.momentum == 0.0 || self.optim.dampening != 0.0) {
            return Err(ConfigError::Nesterov);
        }
        if let Some(weights) = &self.regularisation {
            within("text-loss-weight", weights.text, 0.0, 1e6)?;
            within("image-loss-weight", weights.image, 0.0, 1e6)?;
            within("logits-loss-weight", weights.logits, 0.0, 1e6)?;
        }
        match &self.guidance {
            Some(Guidance::Knowledge { weight }) => within("kg-weight", *weight, 0.0, 1e6)?,
            Some(Guidance::GradientProjection {
                lambda,
                temperature,
            }) => {
                within("prograd-lambda", *lambda, 0.0, 1e3)?;
                within("prograd-temperature", *temperature, 1e-3, 1e3)?;
            }
            None => {}
        }
        if self.has_teacher_text() && self.templates.is_empty() {
            return Err(ConfigError::NoTemplates);
        }
        have_place(&self.templates)?;
        if let Some(aggregation) = &self.aggregation {
            within("gpa-mean", aggregation.mean, -1e6, 1e6)?;
            within("gpa-std", aggregation.std, 1e-6, 1e6)?;
            let weights = gaussian_weights(self.epochs, aggregation);
            if !weights.iter().all(|w| w.is_finite()) {
                return Err(ConfigError::NoWeight {
                    mean: aggregation.mean,
                    std: aggregation.std,
                    epochs: self.epochs,
                });
            }
        }
        Ok(())
    }

    /// The same trained with cross-entropy alone, of which IVLP and the methods that add a loss of their
    /// own are made.
    pub fn with_cross_entropy_alone(self) -> Self {
        Self {
            regularisation: None,
            aggregation: None,
            ..self
        }
    }

    /// Whether the training compares with frozen text features, those of the templates.
    pub fn has_teacher_text(&self) -> bool {
        self.regularisation.is_some() || self.guidance.is_some()
    }

    /// Rejects a configuration that cannot be trained on this CLIP.
    pub fn check_for(&self, clip: &ClipConfig) -> Result<(), ConfigError> {
        self.check()?;
        let room = clip.text.context_length.saturating_sub(2);
        if self.prompts.n_ctx_text > room {
            return Err(ConfigError::ContextTooLong {
                n_ctx: self.prompts.n_ctx_text,
                room,
            });
        }
        Ok(())
    }
}

impl PromptConfig {
    /// Length of the longest context that IVLP and PromptSRC initialise with words.
    pub const MOST_INITIAL_WORDS: usize = 4;
}
