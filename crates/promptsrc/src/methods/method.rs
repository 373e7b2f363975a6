//! The traits of a method: its name, and its family, which determines how it learns.

use std::fmt;

use crate::config::{ConfigError, Overrides, Preset, TrainConfig};
use crate::methods::needs::Need;
use crate::prompt_model::PromptModel;

/// A method that turns a CLIP into a classifier.
pub trait Method: fmt::Debug + Sync {
    /// Its name on the command line, in files and in folders.
    fn name(&self) -> &'static str;

    /// Its name in the paper's tables, by which the published results are found.
    fn paper_name(&self) -> &'static str;

    /// How it learns.
    fn family(&self) -> Family<'_>;

    /// What it needs beyond the labelled shots.
    fn needs(&self) -> &'static [Need] {
        &[]
    }
}

/// How a method learns.
#[derive(Clone, Copy, Debug)]
pub enum Family<'a> {
    /// It learns nothing, so the result depends neither on the shots nor on the seed: CLIP without
    /// prompts.
    Frozen,
    /// It learns prompts, in the training loop that all prompt methods share.
    Prompts(&'a dyn PromptMethod),
}

/// A group of settings that a method either has or does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingGroup {
    /// The losses of the mutual agreement with the frozen CLIP, and the aggregation of prompts.
    SelfRegulation,
    /// Prompts of the image tower.
    VisualPrompts,
    /// Prompts in the layers of the text tower after the input.
    DeepTextPrompts,
}

impl SettingGroup {
    /// Names of its options, as on the command line but without the dashes.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::SelfRegulation => &[
                "gpa-mean",
                "gpa-std",
                "no-gpa",
                "text-loss-weight",
                "image-loss-weight",
                "logits-loss-weight",
                "templates",
            ],
            Self::VisualPrompts => &["vision-context", "vision-depth"],
            Self::DeepTextPrompts => &["text-depth"],
        }
    }
}

/// What the published configuration of a method depends on.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The published preset.
    pub preset: Preset,
    /// Name of the data set; empty if it is not known yet.
    pub data_set: &'a str,
    /// Shots per class; `None`: all images.
    pub shots: Option<usize>,
}

impl Circumstances<'_> {
    /// Whether the data set is ImageNet, by any of the names that it has in the reference.
    pub fn is_imagenet(&self) -> bool {
        self.data_set.eq_ignore_ascii_case("imagenet")
    }
}

/// A method that learns prompts.
pub trait PromptMethod: fmt::Debug + Sync {
    /// The settings that it does not have: giving one is an error.
    fn lacks(&self) -> &'static [SettingGroup];

    /// Its published configuration. `published` is PromptSRC's for the same preset and data set,
    /// but with the name of this method.
    fn configure(&self, published: TrainConfig, circumstances: &Circumstances) -> TrainConfig;

    /// Derives settings that follow from others, after `given` has been applied to `config`.
    ///
    /// # Errors
    /// [`ConfigError`] if two settings contradict each other.
    fn settle(&self, _config: &mut TrainConfig, _given: &Overrides) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Its prompt model.
    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel>;
}
