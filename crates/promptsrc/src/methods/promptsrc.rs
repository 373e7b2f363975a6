//! PromptSRC: independent vision-language prompts with the three self-regulations.

use crate::config::TrainConfig;
use crate::methods::layer_prompts::LayerPrompts;
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::prompt_model::PromptModel;

/// Self-regulating prompts (Khattak et al., ICCV 2023).
#[derive(Clone, Copy, Debug)]
pub struct PromptSrc;

impl Method for PromptSrc {
    fn name(&self) -> &'static str {
        "promptsrc"
    }

    fn paper_name(&self) -> &'static str {
        "PromptSRC"
    }

    fn family(&self) -> Family<'_> {
        Family::Prompts(self)
    }
}

impl PromptMethod for PromptSrc {
    fn has(&self) -> &'static [SettingGroup] {
        &[
            SettingGroup::SelfRegulation,
            SettingGroup::TeacherTexts,
            SettingGroup::VisualPrompts,
            SettingGroup::DeepTextPrompts,
        ]
    }

    fn configure(&self, published: TrainConfig, _: &Circumstances) -> TrainConfig {
        published
    }

    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(LayerPrompts::new(&config.prompts))
    }
}
