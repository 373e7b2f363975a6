//! CoOp: one learned context for all classes, before the class name in the input of the text tower.

use crate::config::{ConfigError, Overrides, Preset, TrainConfig};
use crate::methods::layer_prompts::LayerPrompts;
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::methods::text_context::{at_text_input, count_words};
use crate::prompt_model::PromptModel;
use crate::sgd::OptimConfig;

/// Context optimisation (Zhou et al., IJCV 2022) with a shared context and the class name at the
/// end.
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

impl PromptMethod for CoOp {
    fn lacks(&self) -> &'static [SettingGroup] {
        use SettingGroup::{DeepTextPrompts, SelfRegulation, VisualPrompts};
        &[SelfRegulation, VisualPrompts, DeepTextPrompts]
    }
    fn configure(&self, published: TrainConfig, of: &Circumstances) -> TrainConfig {
        let (epochs, n_ctx, words) = match (of.preset, of.shots, of.is_imagenet()) {
            (Preset::FewShot, _, true) | (Preset::FewShot, Some(1), _) => (50, 16, ""),
            (Preset::FewShot, Some(2..=4), _) => (100, 16, ""),
            (Preset::FewShot, ..) => (200, 16, ""),
            (Preset::CrossDataset, ..) | (_, _, true) => (50, 4, "a photo of a"),
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
            regularisation: None,
            aggregation: None,
            ..published
        }
    }
    fn settle(&self, config: &mut TrainConfig, given: &Overrides) -> Result<(), ConfigError> {
        count_words(&mut config.prompts, given)
    }
    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(LayerPrompts::of_any_words(&config.prompts))
    }
}
