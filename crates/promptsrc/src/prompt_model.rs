//! Prompt models: from the parameters of a method to the prompts of the two towers.

use std::fmt;

use burn::tensor::Tensor;
use promptsrc_clip::{ClipModel, TextInput};

use crate::class_texts::{ClassTextError, placed_input, prompt_input};
use crate::config::{ClassPosition, ConfigError};
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

/// Where the context stands in the tokenised prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Where the class name stands among the context tokens.
    pub class_position: ClassPosition,
    /// Whether each class has a context of its own: the first text prompt is then
    /// `[classes * n_ctx_text, width]`.
    pub class_specific: bool,
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

    /// Where these tokens stand. Prompts of deeper layers need the usual place: shared, before the class
    /// name.
    fn placement(&self) -> Placement {
        Placement::default()
    }

    /// Names and shapes of the parameters on this CLIP for a training of so many classes, in order.
    fn shapes(&self, clip: &ClipModel, classes: usize) -> Vec<(String, Vec<usize>)>;

    /// The initial parameters of a run of so many classes.
    ///
    /// # Errors
    /// [`ConfigError`] if the initial words do not fill the context.
    fn initial(
        &self,
        clip: &ClipModel,
        classes: usize,
        seed: u64,
    ) -> Result<Parameters, ConfigError>;

    /// The prompts, the same for all images of a batch.
    fn prompts(&self, parameters: &Leaves) -> TowerPrompts;

    /// Whether each class has parameters of its own, so that they classify among the classes of the
    /// training only.
    fn is_class_specific(&self) -> bool {
        false
    }

    /// The parameters for some of the classes of the training, by their places in its list, in this
    /// order.
    ///
    /// # Panics
    /// If a class is not in that list.
    fn of_classes(&self, parameters: &Parameters, _classes: &[usize]) -> Parameters {
        parameters.clone()
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

impl dyn PromptModel {
    /// The prompts of classes as input of the text tower.
    pub(crate) fn input(
        &self,
        clip: &ClipModel,
        names: &[String],
    ) -> Result<TextInput, ClassTextError> {
        let (prefix, n_ctx) = (self.prompt_prefix(), self.n_ctx_text());
        let Placement {
            class_position,
            class_specific,
        } = self.placement();
        match class_position.is_end() && !class_specific {
            true => prompt_input(clip, &prefix, n_ctx, names),
            false => placed_input(clip, &prefix, n_ctx, class_position, class_specific, names),
        }
    }

    /// The prompt around a class name, with `{}` in its place.
    pub fn template(&self) -> String {
        let prefix = self.prompt_prefix();
        let words: Vec<&str> = prefix.split_whitespace().collect();
        let position = self.placement().class_position;
        if position.is_end() {
            return format!("{prefix} {{}}.");
        }
        let before = position.tokens_before(self.n_ctx_text());
        let (first, second) = words.split_at(before.min(words.len()));
        let all: Vec<&str> = first.iter().chain(&["{}"]).chain(second).copied().collect();
        format!("{}.", all.join(" "))
    }
}
