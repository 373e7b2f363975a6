//! The traits of a method: its name, and its family, which determines how it learns.

use std::fmt;

use crate::config::{ConfigError, FeatureConfig, Overrides, Preset, TrainConfig};
use crate::methods::needs::Need;
use crate::prompt_model::PromptModel;
use promptsrc_clip::templates::{PHOTO, data_set_template};
use promptsrc_datasets::CatalogueSet;

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
    /// It learns a head on the frozen features of images, which are computed once.
    Features(&'a dyn FeatureMethod),
}

/// Settings of [`FeatureConfig`] that no prompt method has.
pub(super) const OF_FEATURE_METHODS: [&str; 4] =
    ["passes", "no-search", "probe-c", "adapter-ratio"];

/// A group of settings that a method either has or does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingGroup {
    /// The losses of the mutual agreement with the frozen CLIP, and the aggregation of prompts.
    SelfRegulation,
    /// Templates of the frozen text feature that the training compares with.
    TeacherTexts,
    /// The loss between learned and frozen text features.
    Knowledge,
    /// The removal of gradients that oppose the frozen CLIP.
    GradientProjection,
    /// A context for each class.
    ClassSpecific,
    /// The place of the class name among the context tokens.
    ClassPosition,
    /// Prompts of the image tower.
    VisualPrompts,
    /// Prompts in the layers of the text tower after the input.
    DeepTextPrompts,
}

impl SettingGroup {
    /// All groups.
    pub const ALL: [Self; 8] = [
        Self::SelfRegulation,
        Self::TeacherTexts,
        Self::Knowledge,
        Self::GradientProjection,
        Self::ClassSpecific,
        Self::ClassPosition,
        Self::VisualPrompts,
        Self::DeepTextPrompts,
    ];

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
            ],
            Self::TeacherTexts => &["templates"],
            Self::Knowledge => &["kg-weight"],
            Self::GradientProjection => &["prograd-lambda", "prograd-temperature"],
            Self::ClassSpecific => &["class-specific"],
            Self::ClassPosition => &["class-position"],
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
    /// Whether the data set is one of the paper's, which has a template of its own.
    pub fn has_own_template(&self) -> bool {
        data_set_template(self.data_set).is_some()
    }

    /// The paper's name of the data set; its own if it is not one of the paper's.
    pub fn paper_data_set(&self) -> String {
        let known = CatalogueSet::find(self.data_set);
        known.map_or(self.data_set.to_string(), |set| set.name.to_string())
    }

    /// The data set's own template, with which zero-shot CLIP is measured; "a photo of a {}." for a
    /// data set that has none.
    pub fn template(&self) -> &'static str {
        data_set_template(self.data_set).unwrap_or(PHOTO)
    }

    /// Whether the data set is ImageNet, by any of the names that it has in the reference.
    pub fn is_imagenet(&self) -> bool {
        self.data_set.eq_ignore_ascii_case("imagenet")
    }
}

/// A method that learns prompts.
pub trait PromptMethod: fmt::Debug + Sync {
    /// The settings that it has beside those of every training; giving another is an error.
    fn has(&self) -> &'static [SettingGroup];

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

/// A method that learns a head on frozen features.
pub trait FeatureMethod: fmt::Debug + Sync {
    /// Its published configuration; the seed is set afterwards.
    fn configure(&self, circumstances: &Circumstances) -> FeatureConfig;
}
