//! The configuration of a training run, its presets, and the check that makes it valid.

use std::fmt;
use std::str::FromStr;

use promptsrc_clip::ClipConfig;
use promptsrc_datasets::Augment;
use serde::{Deserialize, Serialize};

/// A prompt-learning method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Independent vision-language prompting: cross-entropy alone.
    Ivlp,
    /// Self-regulating prompts: IVLP with mutual agreement, self-ensembling and textual diversity.
    PromptSrc,
}

impl Method {
    /// All methods, for messages.
    pub const ALL: [Method; 2] = [Method::PromptSrc, Method::Ivlp];

    /// The name as written on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Method::Ivlp => "ivlp",
            Method::PromptSrc => "promptsrc",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|m| m.name() == name)
            .ok_or_else(|| format!("unknown method {name:?}: one of promptsrc, ivlp"))
    }
}

/// The published configurations of PromptSRC, and one for a small CLIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Base-to-novel generalisation: 20 epochs, depth 9, aggregation N(15, 1).
    BaseToNovel,
    /// Few-shot classification: 50 epochs, depth 9, aggregation N(30, 30); N(45, 5) for Cars,
    /// Flowers, Aircraft, DTD and EuroSAT (see [`TrainConfig::few_shot_for`]).
    FewShot,
    /// Cross-dataset transfer and domain generalisation: 20 epochs, depth 3, aggregation N(6, 10).
    CrossDataset,
    /// Base-to-novel generalisation of a CLIP that looks at small images, such as the one that
    /// promptsrc carries: a crop keeps half of the image at least, because a twelfth of 48 x 48
    /// pixels shows nothing. Prompts at depth 9 are prompts in all of its few layers.
    Mini,
}

impl Preset {
    /// All presets, for messages.
    pub const ALL: [Preset; 4] = [
        Preset::BaseToNovel,
        Preset::FewShot,
        Preset::CrossDataset,
        Preset::Mini,
    ];

    /// The name as written on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Preset::BaseToNovel => "base-to-novel",
            Preset::FewShot => "few-shot",
            Preset::CrossDataset => "cross-dataset",
            Preset::Mini => "mini",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|p| p.name() == name)
            .ok_or_else(|| {
                format!(
                    "unknown preset {name:?}: one of base-to-novel, few-shot, cross-dataset, mini"
                )
            })
    }
}

/// Number, depth and beginning of the prompts (paper, section 3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptConfig {
    /// Learnable context tokens of the text tower, at least 1.
    pub n_ctx_text: usize,
    /// Learnable tokens of the image tower.
    pub n_ctx_vision: usize,
    /// Blocks of the text tower with prompts of their own, the input's included; at least 1. More
    /// than the tower has means all.
    pub depth_text: usize,
    /// The same for the image tower; 0 means no visual prompts.
    pub depth_vision: usize,
    /// Words that the first text prompt begins as. Used where `n_ctx_text` is at most 4; a longer
    /// or an empty context begins at random and stands in front of the class name as "X X ...".
    pub ctx_init: String,
}

/// Weights of the three self-regulations (paper, equation 6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossWeights {
    /// Of the mean absolute difference of unit text features.
    pub text: f64,
    /// Of the mean absolute difference of unit image features.
    pub image: f64,
    /// Of KL(frozen || prompted) over logits, divided by batch times classes.
    pub logits: f64,
}

/// How the learning rate warms up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Warmup {
    /// At one low rate.
    Constant,
    /// From the low rate in equal steps.
    Linear,
}

/// Stochastic gradient descent and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimConfig {
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// L2 penalty, on every prompt.
    pub weight_decay: f64,
    /// Dampening of the momentum.
    pub dampening: f64,
    /// Nesterov momentum.
    pub nesterov: bool,
    /// How the warm-up goes.
    pub warmup: Warmup,
    /// Epochs of warm-up.
    pub warmup_epochs: usize,
    /// Learning rate of the warm-up.
    pub warmup_lr: f64,
}

/// Gaussian-weighted prompt aggregation over epochs (paper, section 3.2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregationConfig {
    /// Mean, in epochs counted from 1.
    pub mean: f64,
    /// Standard deviation, in epochs.
    pub std: f64,
}

/// Everything that determines a training run, apart from the data and the CLIP.
///
/// The fields are free to set; [`check`](TrainConfig::check) finds what cannot be trained before any work starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The method.
    pub method: Method,
    /// Passes over the few shots.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Seed of the few-shot picks, the initial prompts, the order and the augmentation.
    pub seed: u64,
    /// Least part of an image's area that a random crop covers in training; 1: no crop but of the
    /// ratio.
    #[serde(default = "published_crop_scale")]
    pub crop_scale: f64,
    /// The prompts.
    pub prompts: PromptConfig,
    /// The optimiser.
    pub optim: OptimConfig,
    /// Weights of the self-regulations; none: cross-entropy alone.
    pub regularisation: Option<LossWeights>,
    /// Prompt aggregation; none: the last epoch's prompts.
    pub aggregation: Option<AggregationConfig>,
    /// Templates whose mean is the frozen text feature; each holds `{}` once or more.
    pub templates: Vec<String>,
}

/// The reference's, which is torchvision's (`INPUT.RRCROP_SCALE`).
fn published_crop_scale() -> f64 {
    Augment::default().scale.0
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self::preset(Preset::BaseToNovel)
    }
}

impl TrainConfig {
    /// The configuration of a preset.
    pub fn preset(preset: Preset) -> Self {
        let (epochs, depth, mean, std) = match preset {
            Preset::BaseToNovel | Preset::Mini => (20, 9, 15.0, 1.0),
            Preset::FewShot => (50, 9, 30.0, 30.0),
            Preset::CrossDataset => (20, 3, 6.0, 10.0),
        };
        Self {
            method: Method::PromptSrc,
            epochs,
            batch_size: 4,
            seed: 1,
            crop_scale: match preset {
                Preset::Mini => 0.5,
                _ => published_crop_scale(),
            },
            prompts: PromptConfig {
                n_ctx_text: 4,
                n_ctx_vision: 4,
                depth_text: depth,
                depth_vision: depth,
                ctx_init: "a photo of a".to_string(),
            },
            optim: OptimConfig {
                lr: 0.0025,
                momentum: 0.9,
                weight_decay: 5e-4,
                dampening: 0.0,
                nesterov: false,
                warmup: Warmup::Constant,
                warmup_epochs: 1,
                warmup_lr: 1e-5,
            },
            regularisation: Some(LossWeights {
                text: 25.0,
                image: 10.0,
                logits: 1.0,
            }),
            aggregation: Some(AggregationConfig { mean, std }),
            templates: promptsrc_clip::templates::TEACHER
                .map(str::to_string)
                .to_vec(),
        }
    }

    /// The few-shot preset with the aggregation that the authors used for this data set.
    pub fn few_shot_for(data_set: &str) -> Self {
        let mut config = Self::preset(Preset::FewShot);
        let key: String = data_set
            .to_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let late = [
            "stanfordcars",
            "oxfordflowers",
            "flowers102",
            "fgvcaircraft",
            "dtd",
            "describabletextures",
            "eurosat",
        ];
        if late.contains(&key.as_str()) {
            config.aggregation = Some(AggregationConfig {
                mean: 45.0,
                std: 5.0,
            });
        }
        config
    }

    /// The same run by another method: IVLP switches all regularisers and the aggregation off.
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        if method == Method::Ivlp {
            self.regularisation = None;
            self.aggregation = None;
        }
        self
    }

    /// Words in front of the class name in the tokenised prompt. All words of `ctx_init` stand
    /// there even where fewer of them are learned.
    pub fn prompt_lead(&self) -> String {
        self.prompts.lead()
    }

    /// Finds what cannot be trained.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = |option: &'static str, value: usize| match value {
            0 => Err(ConfigError::Zero { option }),
            _ => Ok(()),
        };
        positive("epochs", self.epochs)?;
        positive("batch-size", self.batch_size)?;
        positive("text-context", self.prompts.n_ctx_text)?;
        positive("text-depth", self.prompts.depth_text)?;
        if self.prompts.depth_vision > 0 {
            positive("vision-context", self.prompts.n_ctx_vision)?;
        }
        // Sizes that nobody means would fill the memory before anything else could go wrong.
        let at_most = |option: &'static str, value: usize, most: usize| match value <= most {
            true => Ok(()),
            false => Err(ConfigError::TooMany {
                option,
                value,
                most,
            }),
        };
        at_most("epochs", self.epochs, 1_000_000)?;
        at_most("vision-context", self.prompts.n_ctx_vision, 1_000)?;
        let within = |option: &'static str, value: f64, low: f64, high: f64| {
            if value.is_finite() && value >= low && value <= high {
                Ok(())
            } else {
                Err(ConfigError::OutOfRange {
                    option,
                    value,
                    low,
                    high,
                })
            }
        };
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
            if self.templates.is_empty() {
                return Err(ConfigError::NoTemplates);
            }
        }
        for template in &self.templates {
            if !template.contains("{}") {
                return Err(ConfigError::Template {
                    template: template.clone(),
                });
            }
        }
        if let Some(aggregation) = &self.aggregation {
            within("gpa-mean", aggregation.mean, -1e6, 1e6)?;
            within("gpa-std", aggregation.std, 1e-6, 1e6)?;
            let weights = crate::aggregation::gaussian_weights(self.epochs, aggregation);
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

    /// Finds what this CLIP cannot take.
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
    /// See [`TrainConfig::prompt_lead`].
    pub fn lead(&self) -> String {
        if self.begins_with_words() {
            self.ctx_init.replace('_', " ")
        } else {
            vec!["X"; self.n_ctx_text].join(" ")
        }
    }

    /// Whether the first text prompt begins as the words of `ctx_init`.
    pub fn begins_with_words(&self) -> bool {
        !self.ctx_init.trim().is_empty() && self.n_ctx_text <= 4
    }
}

/// A configuration that cannot be trained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A count that must be at least one.
    #[error("{option} is 0; it must be at least 1")]
    Zero {
        /// The option.
        option: &'static str,
    },
    /// A count beyond all sense.
    #[error("{option} is {value}; it must be at most {most}")]
    TooMany {
        /// The option.
        option: &'static str,
        /// Its value.
        value: usize,
        /// The most that is taken.
        most: usize,
    },
    /// A number that makes no sense.
    #[error("{option} is {value}; it must lie between {low} and {high}")]
    OutOfRange {
        /// The option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// The least sensible value.
        low: f64,
        /// The greatest.
        high: f64,
    },
    /// As PyTorch demands.
    #[error("nesterov needs a momentum above 0 and a dampening of 0")]
    Nesterov,
    /// Mutual agreement without a frozen text feature.
    #[error("the self-regulations need at least one template for the frozen text feature")]
    NoTemplates,
    /// A template without a place for the class name.
    #[error("the template {template:?} has no {{}} where the class name goes")]
    Template {
        /// The template.
        template: String,
    },
    /// All Gaussian weights vanish.
    #[error(
        "the aggregation N({mean}, {std}) gives no weight to any of the {epochs} epochs: choose a \
         mean among them or a greater deviation"
    )]
    NoWeight {
        /// Mean of the aggregation.
        mean: f64,
        /// Its deviation.
        std: f64,
        /// Epochs of the run.
        epochs: usize,
    },
    /// More context than the text tower has positions.
    #[error(
        "{n_ctx} context tokens do not fit: this CLIP has room for {room} tokens and a class name"
    )]
    ContextTooLong {
        /// Context tokens asked for.
        n_ctx: usize,
        /// Positions between the start and the end token.
        room: usize,
    },
    /// The context cannot be initialised from so few words.
    #[error(
        "the context has {n_ctx} tokens but its initial words {words:?} only {tokens}: use fewer \
         context tokens or more words"
    )]
    FewWords {
        /// Context tokens asked for.
        n_ctx: usize,
        /// The words.
        words: String,
        /// Tokens they make.
        tokens: usize,
    },
    /// The initial words hold a token that this CLIP does not know.
    #[error(
        "the initial words {words:?} of the context hold token {id}, but the vocabulary of this \
         CLIP has {vocab_size} tokens"
    )]
    Vocabulary {
        /// The words.
        words: String,
        /// The token.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// The initial words cannot be tokenised.
    #[error("the initial words of the context: {0}")]
    Words(#[from] promptsrc_clip::TokenizeError),
}
