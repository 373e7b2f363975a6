//! CoOp: a learned context before, around or after the class name in the input of the text tower.

use crate::config::{ConfigError, Overrides, Preset, TrainConfig};
use crate::methods::context_prompts::ContextPrompts;
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::methods::text_context::{at_text_input, count_words, refuse_words_of_each_class};
use crate::prompt_model::PromptModel;
use crate::sgd::OptimConfig;

/// Context optimisation (Zhou et al., IJCV 2022), with one context for all classes or one for each.
#[derive(Clone, Copy, Debug)]
pub struct CoOp;

impl Method for CoOp {
    fn name(&self) -> &'static str {
        "coop"
    }
    fn paper_name(&self) -> &'static str {
        "CoOp"
    }
    fn family(&self) -> Family<'_> {
        Family::Prompts(self)
    }
}

/// Epochs of CoOp's few-shot configurations (`configs/trainers/CoOp/*.yaml`).
pub(super) fn few_shot_epochs(of: &Circumstances) -> usize {
    match of.shots {
        _ if of.is_imagenet() => 50,
        Some(1) => 50,
        Some(2..=4) => 100,
        _ => 200,
    }
}

impl PromptMethod for CoOp {
    fn has(&self) -> &'static [SettingGroup] {
        &[SettingGroup::ClassSpecific, SettingGroup::ClassPosition]
    }
    fn configure(&self, published: TrainConfig, of: &Circumstances) -> TrainConfig {
        let (epochs, n_ctx, words) = match of.preset {
            Preset::FewShot => (few_shot_epochs(of), 16, ""),
            Preset::CrossDataset => (50, 4, "a photo of a"),
            _ if of.is_imagenet() => (50, 4, "a photo of a"),
            _ => (200, 4, "a photo of a"),
        };
        TrainConfig {
            epochs,
            batch_size: 32,
            prompts: at_text_input(n_ctx, words),
            optim: OptimConfig {
                lr: 0.002,
                ..published.optim
            },
            ..published.with_cross_entropy_alone()
        }
    }
    fn settle(&self, config: &mut TrainConfig, given: &Overrides) -> Result<(), ConfigError> {
        refuse_words_of_each_class(&mut config.prompts, given)?;
        count_words(&mut config.prompts, given)
    }
    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(ContextPrompts::new(&config.prompts))
    }
}
