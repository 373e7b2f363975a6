//! The forward pass of a prompted CLIP: unit features of both towers, and their logits.

use burn::tensor::Tensor;
use promptsrc_clip::{ClipModel, TextInput, VisionStem, unit};

use crate::losses::Outputs;
use crate::parameters::Leaves;
use crate::prompt_model::{PromptModel, TowerPrompts};

/// Unit image features `[batch, embed_dim]` of the prompted image tower.
pub(crate) fn prompted_image(
    clip: &ClipModel,
    prompts: &TowerPrompts,
    stem: &VisionStem,
) -> Tensor<2> {
    unit(clip.vision().features(stem, &prompts.vision))
}

/// The prompted text tower beside unit image features `[batch, embed_dim]`.
///
/// If a prompt model conditions the text prompts on the image, the text tower runs once per image,
/// and `text` of the outputs is `[batch * classes, embed_dim]`.
pub(crate) fn prompted(
    clip: &ClipModel,
    model: &dyn PromptModel,
    leaves: &Leaves,
    texts: &TextInput,
    prompts: &TowerPrompts,
    image: Tensor<2>,
) -> Outputs {
    match conditioned_text(clip, model, leaves, texts, &image) {
        None => {
            // [classes, embed_dim]
            let text = unit(clip.text().features(texts, &prompts.text));
            outputs(clip, text, image)
        }
        Some(text) => {
            let logits = image_by_image(clip, &text, &image);
            Outputs {
                text: Tensor::cat(text, 0), // [batch * classes, embed_dim]
                image,
                logits,
            }
        }
    }
}

/// Outputs of unit features `[classes, embed_dim]` and `[batch, embed_dim]`.
pub(crate) fn outputs(clip: &ClipModel, text: Tensor<2>, image: Tensor<2>) -> Outputs {
    Outputs {
        logits: clip.scaled_cosine(image.clone(), text.clone()),
        text,
        image,
    }
}

/// Unit text features `[classes, embed_dim]` for each image, if the text prompts depend on the
/// image.
pub(crate) fn conditioned_text(
    clip: &ClipModel,
    model: &dyn PromptModel,
    leaves: &Leaves,
    texts: &TextInput,
    image: &Tensor<2>,
) -> Option<Vec<Tensor<2>>> {
    let [batch, embed_dim] = image.dims();
    (0..batch)
        .map(|i| {
            let feature = image.clone().slice([i..i + 1, 0..embed_dim]); // [1, embed_dim]
            let prompts = model.text_prompts_for_image(leaves, &feature)?;
            Some(unit(clip.text().features(texts, &prompts)))
        })
        .collect()
}

/// Logits `[batch, classes]`, each image compared with its own text features.
pub(crate) fn image_by_image(clip: &ClipModel, text: &[Tensor<2>], image: &Tensor<2>) -> Tensor<2> {
    let embed_dim = image.dims()[1];
    let rows = text.iter().enumerate().map(|(i, text)| {
        let feature = image.clone().slice([i..i + 1, 0..embed_dim]); // [1, embed_dim]
        clip.scaled_cosine(feature, text.clone()) // [1, classes]
    });
    Tensor::cat(rows.collect(), 0)
}
