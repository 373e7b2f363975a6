//! Settings of a training that are given one by one.

use std::path::PathBuf;

use clap::Args;

/// Settings that replace the preset's.
#[derive(Args, Debug)]
#[command(next_help_heading = "Settings that replace the preset's")]
pub struct Overrides {
    /// Passes over the training images.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Images per step.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub batch_size: Option<usize>,
    /// Smallest part of an image's area that a random crop covers, above 0 and up to 1.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub crop_scale: Option<f64>,
    /// Learning rate.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Momentum.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub momentum: Option<f64>,
    /// Weight decay.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub weight_decay: Option<f64>,
    /// Epochs of warm-up at a constant learning rate.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub warmup_epochs: Option<usize>,
    /// Learning rate of the warm-up.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub warmup_lr: Option<f64>,
    /// Number of learnable context tokens in the text tower.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub text_context: Option<usize>,
    /// Number of learnable visual tokens in the image tower.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub vision_context: Option<usize>,
    /// Number of text layers with prompts of their own, including the input.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub text_depth: Option<usize>,
    /// Number of image layers with prompts of their own; 0: no visual prompts.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub vision_depth: Option<usize>,
    /// Words to initialise the text context with; empty: random numbers.
    #[arg(long, value_name = "WORDS")]
    pub ctx_init: Option<String>,
    /// Mean of the Gaussian prompt aggregation, in epochs.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub gpa_mean: Option<f64>,
    /// Standard deviation of the Gaussian prompt aggregation, in epochs.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub gpa_std: Option<f64>,
    /// No prompt aggregation: keep the last epoch's prompts.
    #[arg(long, conflicts_with_all = ["gpa_mean", "gpa_std"])]
    pub no_gpa: bool,
    /// Weight of the loss between prompted and frozen text features.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub text_loss_weight: Option<f64>,
    /// Weight of the loss between prompted and frozen image features.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub image_loss_weight: Option<f64>,
    /// Weight of the loss between prompted and frozen logits.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub logits_loss_weight: Option<f64>,
    /// Templates of the frozen text features, one per line with {} for the class name [default: 60
    /// built-in templates].
    #[arg(long, value_name = "FILE")]
    pub templates: Option<PathBuf>,
}
