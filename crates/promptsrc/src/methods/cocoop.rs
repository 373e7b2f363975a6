//! CoCoOp: a context that a small network shifts for each image.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use promptsrc_clip::ClipModel;

use crate::config::{ConfigError, Overrides, PromptConfig, TrainConfig};
use crate::initial_values::linear_layer;
use crate::methods::context_prompts::ContextPrompts;
use crate::methods::linear::{apply_linear, linear_shapes};
use crate::methods::method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
use crate::methods::text_context::{at_text_input, count_words};
use crate::parameters::{Leaves, Parameters};
use crate::prompt_model::{PromptModel, TowerPrompts};
use crate::sgd::OptimConfig;

/// Conditional context optimisation (Zhou et al., CVPR 2022).
#[derive(Clone, Copy, Debug)]
pub struct CoCoOp;

impl Method for CoCoOp {
    fn name(&self) -> &'static str {
        "cocoop"
    }
    fn paper_name(&self) -> &'static str {
        "CoCoOp"
    }
    fn family(&self) -> Family<'_> {
        Family::Prompts(self)
    }
}

impl PromptMethod for CoCoOp {
    fn has(&self) -> &'static [SettingGroup] {
        &[]
    }
    /// The same for all protocols (`vit_b16_c4_ep10_batch1_ctxv1.yaml`).
    fn configure(&self, published: TrainConfig, _: &Circumstances) -> TrainConfig {
        TrainConfig {
            epochs: 10,
            batch_size: 1,
            prompts: at_text_input(4, "a photo of a"),
            optim: OptimConfig {
                lr: 0.002,
                ..published.optim
            },
            ..published.with_cross_entropy_alone()
        }
    }
    fn settle(&self, config: &mut TrainConfig, given: &Overrides) -> Result<(), ConfigError> {
        count_words(&mut config.prompts, given)
    }
    fn prompt_model(&self, config: &TrainConfig) -> Box<dyn PromptModel> {
        Box::new(ConditionedContext::new(&config.prompts))
    }
}

/// Name of the network that computes the shift, in the reference's state dict.
const NET: &str = "prompt_learner.meta_net";
/// The hidden layer has one unit for so many of the embedding.
const REDUCTION: usize = 16;

/// A context `[n_ctx, width]`, to each row of which a network adds the same shift `[width]`:
/// `W2 relu(W1 f + b1) + b2` of the image's unit feature `f` (equation 2).
#[derive(Clone, Debug)]
struct ConditionedContext {
    context: ContextPrompts,
}

impl ConditionedContext {
    fn new(config: &PromptConfig) -> Self {
        Self {
            context: ContextPrompts::new(config),
        }
    }

    /// Name, inputs and outputs of the two layers.
    fn layers(clip: &ClipModel) -> [(String, usize, usize); 2] {
        let (width, embed_dim) = (clip.text().width(), clip.config().embed_dim);
        // A CLIP with less than 16 features still has a hidden unit.
        let hidden = (embed_dim / REDUCTION).max(1);
        [
            (format!("{NET}.linear1"), embed_dim, hidden),
            (format!("{NET}.linear2"), hidden, width),
        ]
    }
}

impl PromptModel for ConditionedContext {
    fn prompt_prefix(&self) -> String {
        self.context.prompt_prefix()
    }

    fn n_ctx_text(&self) -> usize {
        self.context.n_ctx_text()
    }

    fn shapes(&self, clip: &ClipModel, classes: usize) -> Vec<(String, Vec<usize>)> {
        let mut shapes = self.context.shapes(clip, classes);
        for (name, inputs, outputs) in Self::layers(clip) {
            shapes.extend(linear_shapes(&name, inputs, outputs));
        }
        shapes
    }

    /// The context as in CoOp, the network as PyTorch initialises linear layers.
    fn initial(
        &self,
        clip: &ClipModel,
        classes: usize,
        seed: u64,
    ) -> Result<Parameters, ConfigError> {
        let context = self.context.initial(clip, classes, seed)?;
        let mut list: Vec<_> = context.iter().cloned().collect();
        for (name, inputs, outputs) in Self::layers(clip) {
            list.extend(linear_layer(seed, &name, &name, inputs, outputs));
        }
        Parameters::new(list).map_err(ConfigError::Parameters)
    }

    /// The image tower has no prompts, and the text prompts are of each image.
    fn prompts(&self, _: &Leaves) -> TowerPrompts {
        TowerPrompts::default()
    }

    fn is_conditioned(&self) -> bool {
        true
    }

    fn text_prompts_for_image(
        &self,
        parameters: &Leaves,
        image_feature: &Tensor<2>,
    ) -> Option<Vec<Tensor<2>>> {
        let context = self.context.prompts(parameters).text.into_iter().next()?; // [n_ctx, width]
        let feature = image_feature.clone(); // [1, embed_dim]
        let hidden = relu(apply_linear(
            parameters,
            &format!("{NET}.linear1"),
            feature,
        )?); // [1, hidden]
        let shift = apply_linear(parameters, &format!("{NET}.linear2"), hidden)?; // [1, width]
        Some(vec![context + shift]) // [n_ctx, width]
    }
}
