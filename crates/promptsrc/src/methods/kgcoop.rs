//! KgCoOp: CoOp with a loss that keeps the learned text features near those of the frozen CLIP.

use crate::config::{ConfigError, Guidance, Overrides, TrainConfig};
use crate::methods::context_prompts::ContextPrompts;
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::methods::text_context::{at_text_input, count_words, refuse_words_of_each_class};
use crate::prompt_model::PromptModel;
use crate::sgd::OptimConfig;

/// Knowledge-guided context optimisation (Yao et al., CVPR 2023).
///
/// The published program computes the frozen text features with a second CLIP in half precision on a
/// GPU; here they have the precision of the run.
#[derive(Clone, Copy, Debug)]
pub struct KgCoOp;

impl Method for KgCoOp {
    fn name(&self) -> &'static str {
        "kgcoop"
    }
    fn paper_name(&self) -> &'static str {
        "KgCoOp"
    }
    fn family(&self) -> Family<'_> {
        Family::Prompts(self)
    }
}

impl PromptMethod for KgCoOp {
    fn has(&self) -> &'static [SettingGroup] {
        &[
            SettingGroup::TeacherTexts,
            SettingGroup::Knowledge,
            SettingGroup::ClassSpecific,
        ]
    }
    /// The same for all protocols (`vit_b16_ep100_ctxv1.yaml`, `scripts/base2new_train.sh`).
    fn configure(&self, published: TrainConfig, of: &Circumstances) -> TrainConfig {
        TrainConfig {
            epochs: 100,
            batch_size: 128,
            prompts: at_text_input(4, "a photo of a"),
            optim: OptimConfig {
                lr: 0.002,
                ..published.optim
            },
            guidance: Some(Guidance::Knowledge { weight: 8.0 }),
            templates: vec![template(of).to_string()],
            ..published.with_cross_entropy_alone()
        }
    }
    fn settle(&self, config: &mut TrainConfig, given: &Overrides) -> Result<(), ConfigError> {
        if !matches!(config.guidance, Some(Guidance::Knowledge { .. })) {
            return Err(ConfigError::Lacks {
                method: self.name().to_string(),
                part: "the weight of the loss between text features",
            });
        }
        refuse_words_of_each_class(&mut config.prompts, given)?;
        count_words(&mut config.prompts, given)
    }
    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(ContextPrompts::new(&config.prompts))
    }
}

/// The template of the frozen text features: CoOp's, but for DTD (`trainers/kgcoop.py`).
fn template(of: &Circumstances) -> &'static str {
    match of.template() {
        "{} texture." => "a photo of a {}, a type of texture.",
        template => template,
    }
}
