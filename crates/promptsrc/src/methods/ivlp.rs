//! IVLP: independent vision-language prompts, trained with cross-entropy only.

use crate::config::TrainConfig;
use crate::methods::layer_prompts::LayerPrompts;
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::prompt_model::PromptModel;

/// Independent vision-language prompting, the paper's baseline (section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Ivlp;

impl Method for Ivlp {
    fn name(&self) -> &'static str {
        "ivlp"
    }

    fn paper_name(&self) -> &'static str {
        "IVLP"
    }

    fn family(&self) -> Family<'_> {
        Family::Prompts(self)
    }
}

impl PromptMethod for Ivlp {
    fn has(&self) -> &'static [SettingGroup] {
        &[SettingGroup::VisualPrompts, SettingGroup::DeepTextPrompts]
    }

    fn configure(&self, published: TrainConfig, _: &Circumstances) -> TrainConfig {
        published.with_cross_entropy_alone()
    }

    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(LayerPrompts::new(&config.prompts))
    }
}
