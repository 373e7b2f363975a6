//! ProGrad: CoOp that does not learn against what the frozen CLIP knows.

use crate::config::{ConfigError, Guidance, Overrides, Preset, TrainConfig};
use crate::methods::context_prompts::ContextPrompts;
use crate::methods::coop::few_shot_epochs;
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::methods::text_context::{at_text_input, number_of_words, refuse_words_of_each_class};
use crate::prompt_model::PromptModel;
use crate::sgd::OptimConfig;

/// Prompt-aligned gradient (Zhu et al., ICCV 2023).
///
/// The context begins with zeros and ends with the words of the data set's template, as in the
/// published program, which has one learned row for each word: the tokens of words that have several
/// stay frozen at the end.
#[derive(Clone, Copy, Debug)]
pub struct ProGrad;

impl Method for ProGrad {
    fn name(&self) -> &'static str {
        "prograd"
    }
    fn paper_name(&self) -> &'static str {
        "ProGrad"
    }
    fn family(&self) -> Family<'_> {
        Family::Prompts(self)
    }
}

impl PromptMethod for ProGrad {
    fn has(&self) -> &'static [SettingGroup] {
        &[
            SettingGroup::TeacherTexts,
            SettingGroup::GradientProjection,
            SettingGroup::ClassSpecific,
            SettingGroup::ClassPosition,
        ]
    }
    /// The repository's `scripts/prograd.sh` and `base2new_train_prograd.sh`, and its README for the
    /// strength of the projection.
    fn configure(&self, published: TrainConfig, of: &Circumstances) -> TrainConfig {
        let template = template(of);
        let words = template.split(" {}").next().unwrap_or_default();
        let many_shots = !matches!(of.shots, Some(0..8));
        let lambda = match template {
            "a type of flower, a photo of a {}."
            | "a texture of {}."
            | "a centered satellite photo of {}."
                if of.preset == Preset::FewShot && many_shots =>
            {
                0.8
            }
            _ => 1.0,
        };
        TrainConfig {
            epochs: match of.preset {
                Preset::FewShot => few_shot_epochs(of),
                Preset::CrossDataset => 50,
                _ => 100,
            },
            batch_size: 32,
            prompts: at_text_input(16, words),
            optim: OptimConfig {
                lr: 0.002,
                ..published.optim
            },
            guidance: Some(Guidance::GradientProjection {
                lambda,
                temperature: 1.0,
            }),
            templates: vec![template.to_string()],
            ..published.with_cross_entropy_alone()
        }
    }
    fn settle(&self, config: &mut TrainConfig, given: &Overrides) -> Result<(), ConfigError> {
        if !matches!(config.guidance, Some(Guidance::GradientProjection { .. })) {
            return Err(ConfigError::Lacks {
                method: self.name().to_string(),
                part: "the strength of its projection",
            });
        }
        let prompts = &mut config.prompts;
        refuse_words_of_each_class(prompts, given)?;
        let count = number_of_words(&prompts.ctx_init);
        match count > prompts.n_ctx_text {
            true => Err(ConfigError::MoreWords {
                n_ctx: prompts.n_ctx_text,
                words: prompts.ctx_init.clone(),
                count,
            }),
            false => Ok(()),
        }
    }
    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(ContextPrompts::new(&config.prompts))
    }
}

/// The program's own templates, whose words come first (`trainers/prograd.py`, `CUSTOM_TEMPLATES`).
fn template(of: &Circumstances) -> &'static str {
    match of.template() {
        "a photo of a {}, a type of pet." => "a type of pet, a photo of a {}.",
        "a photo of a {}, a type of flower." => "a type of flower, a photo of a {}.",
        "a photo of a {}, a type of aircraft." => "a type of aircraft, a photo of a {}.",
        "a photo of {}, a type of food." => "a type of food, a photo of {}.",
        "{} texture." => "a texture of {}.",
        template => template,
    }
}
