//! MaPLe: deep text prompts, and visual prompts that are linear projections of them.

use promptsrc_clip::ClipModel;

use crate::config::{ConfigError, Overrides, Preset, PromptConfig, TrainConfig};
use crate::initial_values::{PROMPT_STD, embedded_words, gaussian, linear_layer};
use crate::methods::layer_prompts::{LayerPrompts, Tower, prompt_name};
use crate::methods::linear::{apply_linear, linear_shapes};
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::parameters::{Leaves, Parameter, Parameters};
use crate::prompt_model::{PromptModel, TowerPrompts};
use crate::sgd::OptimConfig;

/// Multi-modal prompt learning (Khattak et al., CVPR 2023).
#[derive(Clone, Copy, Debug)]
pub struct MaPLe;

impl Method for MaPLe {
    fn name(&self) -> &'static str {
        "maple"
    }
    fn paper_name(&self) -> &'static str {
        "MaPLe"
    }
    fn family(&self) -> Family<'_> {
        Family::Prompts(self)
    }
}

impl PromptMethod for MaPLe {
    /// `text-depth` is the depth of both towers, `text-context` the length of both prompts.
    fn has(&self) -> &'static [SettingGroup] {
        &[SettingGroup::DeepTextPrompts]
    }
    /// `vit_b16_c2_ep5_batch4_2ctx.yaml` and, for transfers, `..._cross_datasets.yaml`.
    fn configure(&self, published: TrainConfig, of: &Circumstances) -> TrainConfig {
        let (epochs, depth, lr) = match of.preset {
            Preset::CrossDataset => (2, 3, 0.0026),
            _ => (5, 9, 0.0035),
        };
        TrainConfig {
            epochs,
            batch_size: 4,
            prompts: PromptConfig {
                n_ctx_text: 2,
                n_ctx_vision: 2,
                depth_text: depth,
                depth_vision: depth,
                ..published.prompts.clone()
            },
            optim: OptimConfig {
                lr,
                ..published.optim
            },
            ..published.with_cross_entropy_alone()
        }
    }
    fn settle(&self, config: &mut TrainConfig, _: &Overrides) -> Result<(), ConfigError> {
        let prompts = &mut config.prompts;
        prompts.n_ctx_vision = prompts.n_ctx_text;
        prompts.depth_vision = prompts.depth_text;
        Ok(())
    }
    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(ProjectedPrompts {
            config: config.prompts.clone(),
        })
    }
}

/// The prompts of each layer of the text tower, and for each layer a linear layer that makes from them
/// the prompts of the same layer of the image tower (equation 5).
#[derive(Clone, Debug)]
struct ProjectedPrompts {
    config: PromptConfig,
}

impl ProjectedPrompts {
    /// Layers with prompts. A depth above the number of layers means all layers: those of the deeper
    /// tower, because a text prompt beyond the text tower's layers still makes a visual one.
    fn layers(&self, clip: &ClipModel) -> std::ops::Range<usize> {
        let layers = clip.text().layers().max(clip.vision().layers());
        0..self.config.depth_text.min(layers)
    }

    fn text_name(layer: usize) -> String {
        match layer {
            0 => prompt_name(Tower::Text, 0),
            l => format!("prompt_learner.compound_prompts_text.{}", l - 1),
        }
    }

    fn projection_name(layer: usize) -> String {
        match layer {
            0 => "prompt_learner.proj".to_string(),
            l => format!("prompt_learner.compound_prompt_projections.{}", l - 1),
        }
    }
}

impl PromptModel for ProjectedPrompts {
    fn prompt_prefix(&self) -> String {
        LayerPrompts::new(&self.config).prompt_prefix()
    }

    fn n_ctx_text(&self) -> usize {
        self.config.n_ctx_text
    }

    fn shapes(&self, clip: &ClipModel, _: usize) -> Vec<(String, Vec<usize>)> {
        let (text, vision) = (clip.text().width(), clip.vision().width());
        let of_layer = |layer| {
            let prompt = (Self::text_name(layer), vec![self.config.n_ctx_text, text]);
            let [weight, bias] = linear_shapes(&Self::projection_name(layer), text, vision);
            [prompt, weight, bias]
        };
        self.layers(clip).flat_map(of_layer).collect()
    }

    /// The first prompt as in IVLP, deeper ones from N(0, 0.02), projections as PyTorch initialises
    /// linear layers; those of the deeper layers all begin with the same values, because the reference
    /// copies one layer.
    fn initial(&self, clip: &ClipModel, _: usize, seed: u64) -> Result<Parameters, ConfigError> {
        let first = LayerPrompts::new(&self.config);
        let (text, vision) = (clip.text().width(), clip.vision().width());
        let mut list = Vec::new();
        for layer in self.layers(clip) {
            let name = Self::text_name(layer);
            let n_ctx = self.config.n_ctx_text;
            let values = match layer {
                0 if first.starts_from_words() => {
                    embedded_words(clip, &first.prompt_prefix(), n_ctx)?
                }
                _ => gaussian(seed, &name, PROMPT_STD, n_ctx * text),
            };
            list.push(Parameter {
                name,
                shape: vec![n_ctx, text],
                values,
            });
            let projection = Self::projection_name(layer);
            let stream = Self::projection_name(layer.min(1));
            list.extend(linear_layer(seed, &stream, &projection, text, vision));
        }
        Parameters::new(list).map_err(ConfigError::Parameters)
    }

    fn prompts(&self, parameters: &Leaves) -> TowerPrompts {
        let mut prompts = TowerPrompts::default();
        for layer in 0.. {
            // [n_ctx, text width]
            let Some(text) = parameters.get(&Self::text_name(layer)) else {
                break;
            };
            // [n_ctx, vision width]
            let vision = apply_linear(parameters, &Self::projection_name(layer), text.clone());
            prompts.vision.extend(vision);
            prompts.text.push(text);
        }
        prompts
    }
}
