//! Prompt models: from the parameters of a method to the prompts of the two towers.

use std::fmt;

use burn::tensor::Tensor;
use promptsrc_clip::ClipModel;

use crate::config::ConfigError;
use crate::parameters::{Leaves, Parameters};

/// Prompts of both towers by layer, starting at the input.
#[derive(Clone, Debug, Default)]
pub struct TowerPrompts {
    /// `[n_ctx_text, text width]` each. The first replaces the context in the tokenised prompt, deeper
    /// ones replace its hidden states.
    pub text: Vec<Tensor<2>>,
    /// `[n_ctx_vision, vision width]` each; empty: the image tower has no prompts.
    pub vision: Vec<Tensor<2>>,
}

/// Turns parameters into the prompts of both towers. This happens on the tape, so that gradients reach
/// the parameters through whatever computation a method puts between them and the prompts.
///
/// The training loop and the classifier use parameters through this trait only.
pub trait PromptModel: fmt::Debug + Send + Sync {
    /// The prompt prefix: the words before the class name in the tokenised prompt.
    fn prompt_prefix(&self) -> String;

    /// Number of tokens after start-of-text that the first text prompt replaces.
    fn n_ctx_text(&self) -> usize;

    /// Names and shapes of the parameters on this CLIP, in order.
    fn shapes(&self, clip: &ClipModel) -> Vec<(String, Vec<usize>)>;

    /// The initial parameters of a run.
    ///
    /// # Errors
    /// [`ConfigError`] if the initial words do not fill the context.
    fn initial(&self, clip: &ClipModel, seed: u64) -> Result<Parameters, ConfigError>;

    /// The prompts, the same for all images of a batch.
    fn prompts(&self, parameters: &Leaves) -> TowerPrompts;

    /// Whether each class has parameters of its own, so that they classify among the classes of the
    /// training only.
    fn is_class_specific(&self) -> bool {
        false
    }

    /// Whether the text prompts depend on the image, so that the text tower runs once per image.
    fn is_conditioned(&self) -> bool {
        false
    }

    /// The text prompts for one image with the unit feature `[1, embed_dim]`, if they are
    /// [conditioned](Self::is_conditioned) on it; `None`: those of [`prompts`](Self::prompts) are used
    /// for all images.
    fn text_prompts_for_image(
        &self,
        _parameters: &Leaves,
        _image_feature: &Tensor<2>,
    ) -> Option<Vec<Tensor<2>>> {
        None
    }
}
