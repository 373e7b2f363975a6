//! Single settings that replace those of a preset, a method or a configuration file.

use crate::aggregation::AggregationConfig;
use crate::config::class_position::ClassPosition;
use crate::config::error::ConfigError;
use crate::config::guidance::Guidance;
use crate::config::train_config::TrainConfig;
use crate::losses::LossWeights;

/// Settings that replace those of the base configuration of a run; `None` leaves a setting
/// unchanged.
///
/// With the feature `clap` these are command-line options, and the comments are their help texts.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[cfg_attr(
    feature = "clap",
    command(next_help_heading = "Settings that replace the preset's")
)]
pub struct Overrides {
    /// Passes over the training images.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub epochs: Option<usize>,
    /// Images per step.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub batch_size: Option<usize>,
    /// Smallest fraction of an image's area that a random crop covers, above 0 and at most 1.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub crop_scale: Option<f64>,
    /// Learning rate.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub lr: Option<f64>,
    /// Momentum.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub momentum: Option<f64>,
    /// Weight decay.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub weight_decay: Option<f64>,
    /// Epochs of warm-up at a constant learning rate.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub warmup_epochs: Option<usize>,
    /// Learning rate of the warm-up.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub warmup_lr: Option<f64>,
    /// Number of learnable context tokens in the text tower.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub text_context: Option<usize>,
    /// Number of learnable visual tokens in the image tower.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub vision_context: Option<usize>,
    /// Number of text layers with their own prompts, including the input layer.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub text_depth: Option<usize>,
    /// Number of image layers with their own prompts; 0: no visual prompts.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub vision_depth: Option<usize>,
    /// Words to initialise the text context with; empty: initialise it at random.
    #[cfg_attr(feature = "clap", arg(long, value_name = "WORDS"))]
    pub ctx_init: Option<String>,
    /// Learn a context for each class, which classifies among these classes only (CoOp, KgCoOp,
    /// ProGrad).
    #[cfg_attr(feature = "clap", arg(long))]
    pub class_specific: bool,
    /// Place of the class name among the context tokens: end, middle or front (CoOp, ProGrad).
    #[cfg_attr(feature = "clap", arg(long, value_name = "PLACE"))]
    pub class_position: Option<ClassPosition>,
    /// Weight of KgCoOp's loss between learned and frozen text features.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub kg_weight: Option<f64>,
    /// Fraction of an opposing gradient that ProGrad removes.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub prograd_lambda: Option<f64>,
    /// Temperature of the probabilities that ProGrad compares.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub prograd_temperature: Option<f64>,
    /// Random crops of each training image that a feature method encodes.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "N", allow_negative_numbers = true)
    )]
    pub passes: Option<usize>,
    /// Do not choose settings on validation images: keep the method's initial settings, or those of
    /// the last epoch (Tip-Adapter, Tip-Adapter-F, LP++).
    #[cfg_attr(feature = "clap", arg(long))]
    pub no_search: bool,
    /// Inverse of the linear probe's penalty, instead of a search on validation images.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "C", allow_negative_numbers = true)
    )]
    pub probe_c: Option<f64>,
    /// Share of the network's output in CLIP-Adapter, from 0 to 1.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub adapter_ratio: Option<f64>,
    /// Mean of the Gaussian prompt aggregation, in epochs.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub gpa_mean: Option<f64>,
    /// Standard deviation of the Gaussian prompt aggregation, in epochs.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub gpa_std: Option<f64>,
    /// Disable prompt aggregation and keep the prompts of the last epoch.
    #[cfg_attr(feature = "clap", arg(long, conflicts_with_all = ["gpa_mean", "gpa_std"]))]
    pub no_gpa: bool,
    /// Weight of the loss between prompted and frozen text features.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub text_loss_weight: Option<f64>,
    /// Weight of the loss between prompted and frozen image features.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub image_loss_weight: Option<f64>,
    /// Weight of the loss between prompted and frozen logits.
    #[cfg_attr(
        feature = "clap",
        arg(long, value_name = "X", allow_negative_numbers = true)
    )]
    pub logits_loss_weight: Option<f64>,
    /// Templates of the frozen text feature. On the command line they come from a file.
    #[cfg_attr(feature = "clap", arg(skip))]
    pub templates: Option<Vec<String>>,
}

impl Overrides {
    /// Names of the given options, as on the command line but without the dashes.
    pub fn given(&self) -> Vec<&'static str> {
        let given = [
            ("epochs", self.epochs.is_some()),
            ("batch-size", self.batch_size.is_some()),
            ("crop-scale", self.crop_scale.is_some()),
            ("lr", self.lr.is_some()),
            ("momentum", self.momentum.is_some()),
            ("weight-decay", self.weight_decay.is_some()),
            ("warmup-epochs", self.warmup_epochs.is_some()),
            ("warmup-lr", self.warmup_lr.is_some()),
            ("text-context", self.text_context.is_some()),
            ("vision-context", self.vision_context.is_some()),
            ("text-depth", self.text_depth.is_some()),
            ("vision-depth", self.vision_depth.is_some()),
            ("ctx-init", self.ctx_init.is_some()),
            ("class-specific", self.class_specific),
            ("class-position", self.class_position.is_some()),
            ("kg-weight", self.kg_weight.is_some()),
            ("prograd-lambda", self.prograd_lambda.is_some()),
            ("prograd-temperature", self.prograd_temperature.is_some()),
            ("passes", self.passes.is_some()),
            ("no-search", self.no_search),
            ("probe-c", self.probe_c.is_some()),
            ("adapter-ratio", self.adapter_ratio.is_some()),
            ("gpa-mean", self.gpa_mean.is_some()),
            ("gpa-std", self.gpa_std.is_some()),
            ("no-gpa", self.no_gpa),
            ("text-loss-weight", self.text_loss_weight.is_some()),
            ("image-loss-weight", self.image_loss_weight.is_some()),
            ("logits-loss-weight", self.logits_loss_weight.is_some()),
            ("templates", self.templates.is_some()),
        ];
        let names = given.into_iter().filter(|(_, given)| *given);
        names.map(|(name, _)| name).collect()
    }

    /// Applies the given settings to a configuration.
    ///
    /// # Errors
    /// [`ConfigError::NoAggregation`], [`ConfigError::NoRegularisation`] if the configuration
    /// disables that part and the settings do not give all of its values.
    pub fn apply(&self, config: &mut TrainConfig) -> Result<(), ConfigError> {
        set(&mut config.epochs, &self.epochs);
        set(&mut config.batch_size, &self.batch_size);
        set(&mut config.crop_scale, &self.crop_scale);
        set(&mut config.optim.lr, &self.lr);
        set(&mut config.optim.momentum, &self.momentum);
        set(&mut config.optim.weight_decay, &self.weight_decay);
        set(&mut config.optim.warmup_epochs, &self.warmup_epochs);
        set(&mut config.optim.warmup_lr, &self.warmup_lr);
        set(&mut config.prompts.n_ctx_text, &self.text_context);
        set(&mut config.prompts.n_ctx_vision, &self.vision_context);
        set(&mut config.prompts.depth_text, &self.text_depth);
        set(&mut config.prompts.depth_vision, &self.vision_depth);
        set(&mut config.prompts.ctx_init, &self.ctx_init);
        set(&mut config.prompts.class_position, &self.class_position);
        set(&mut config.templates, &self.templates);
        config.prompts.class_specific |= self.class_specific;
        match &mut config.guidance {
            Some(Guidance::Knowledge { weight }) => set(weight, &self.kg_weight),
            Some(Guidance::GradientProjection {
                lambda,
                temperature,
            }) => {
                set(lambda, &self.prograd_lambda);
                set(temperature, &self.prograd_temperature);
            }
            None => {}
        }
        if self.no_gpa {
            config.aggregation = None;
        }
        self.apply_aggregation(config)?;
        self.apply_regularisation(config)
    }

    fn apply_aggregation(&self, config: &mut TrainConfig) -> Result<(), ConfigError> {
        match (&mut config.aggregation, self.gpa_mean, self.gpa_std) {
            (Some(aggregation), ..) => {
                set(&mut aggregation.mean, &self.gpa_mean);
                set(&mut aggregation.std, &self.gpa_std);
            }
            (none, Some(mean), Some(std)) => *none = Some(AggregationConfig { mean, std }),
            (None, None, None) => {}
            (None, mean, _) => {
                let option = if mean.is_some() {
                    "gpa-mean"
                } else {
                    "gpa-std"
                };
                return Err(ConfigError::NoAggregation { option });
            }
        }
        Ok(())
    }

    fn apply_regularisation(&self, config: &mut TrainConfig) -> Result<(), ConfigError> {
        let given = (
            self.text_loss_weight,
            self.image_loss_weight,
            self.logits_loss_weight,
        );
        match (&mut config.regularisation, given) {
            (Some(weights), _) => {
                set(&mut weights.text, &self.text_loss_weight);
                set(&mut weights.image, &self.image_loss_weight);
                set(&mut weights.logits, &self.logits_loss_weight);
            }
            (none, (Some(text), Some(image), Some(logits))) => {
                *none = Some(LossWeights {
                    text,
                    image,
                    logits,
                });
            }
            (None, (None, None, None)) => {}
            (None, (text, image, _)) => {
                let option = match (text, image) {
                    (Some(_), _) => "text-loss-weight",
                    (None, Some(_)) => "image-loss-weight",
                    (None, None) => "logits-loss-weight",
                };
                return Err(ConfigError::NoRegularisation { option });
            }
        }
        Ok(())
    }
}

fn set<T: Clone>(place: &mut T, value: &Option<T>) {
    if let Some(value) = value {
        *place = value.clone();
    }
}
