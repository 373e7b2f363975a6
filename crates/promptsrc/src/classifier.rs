//! A frozen or prompted CLIP that classifies images among any class names.

use burn::tensor::Tensor;
use promptsrc_clip::{ClipModel, unit, values};

use crate::adapter::Adapter;
use crate::class_texts::{ClassTextError, prompt_input, zero_shot_weights};
use crate::prompts::{PromptTensors, Prompts, PromptsError};

/// Classifies images among a list of class names, with class features computed once.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use promptsrc::{Adapter, ClipModel, ClipWeights, Classifier};
///
/// let clip = ClipModel::new(&ClipWeights::open("ViT-B-16.pt")?, &Default::default())?;
/// let adapter = Adapter::load("run/adapter.safetensors".as_ref())?;
/// let names = ["cat", "dog"].map(String::from);
/// let classifier = Classifier::prompted(&clip, &adapter, &names)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Classifier<'a> {
    clip: &'a ClipModel,
    names: Vec<String>,
    /// Unit rows `[embed_dim, classes]`.
    text: Tensor<2>,
    prompts: Option<PromptTensors>,
}

/// A classifier that cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClassifierError {
    /// The class names.
    #[error(transparent)]
    Names(#[from] ClassTextError),
    /// The prompts do not fit this CLIP.
    #[error(transparent)]
    Prompts(#[from] PromptsError),
}

impl<'a> Classifier<'a> {
    /// CLIP with an adapter's prompts, for any class names.
    pub fn prompted(
        clip: &'a ClipModel,
        adapter: &Adapter,
        names: &[String],
    ) -> Result<Self, ClassifierError> {
        Self::with_prompts(
            clip,
            &adapter.prompts,
            &adapter.meta.config.prompt_lead(),
            names,
        )
    }

    /// CLIP with prompts, where `lead` stands in front of the class name.
    pub fn with_prompts(
        clip: &'a ClipModel,
        prompts: &Prompts,
        lead: &str,
        names: &[String],
    ) -> Result<Self, ClassifierError> {
        prompts.check_for(clip)?;
        let input = prompt_input(clip, lead, prompts.n_ctx_text(), names)?;
        let prompts = prompts.tensors(clip.device(), false);
        let text = unit(clip.text().features(&input, &prompts.text)).transpose();
        Ok(Self {
            clip,
            names: names.to_vec(),
            text,
            prompts: Some(prompts),
        })
    }

    /// Frozen CLIP; each class is the normalised mean of its unit features over the templates.
    pub fn zero_shot(
        clip: &'a ClipModel,
        names: &[String],
        templates: &[String],
    ) -> Result<Self, ClassifierError> {
        let text = zero_shot_weights(clip, names, templates)?.transpose();
        Ok(Self {
            clip,
            names: names.to_vec(),
            text,
            prompts: None,
        })
    }

    /// The class names, in the order of the logits.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Logits of images, row-major `[batch, classes]`. `images`: `batch` normalised images
    /// `[3, resolution, resolution]`, one after another.
    pub fn logits(&self, images: Vec<f32>, batch: usize) -> Vec<f32> {
        let vision = self.clip.vision();
        let stem = vision.stem(vision.images(images, batch));
        let prompts = self.prompts.as_ref().map_or(&[][..], |p| &p.vision);
        let features = unit(vision.features(&stem, prompts));
        values(
            features
                .matmul(self.text.clone())
                .mul_scalar(self.clip.logit_scale()),
        )
    }

    /// Probabilities of images, row-major `[batch, classes]`; as [`logits`](Self::logits).
    pub fn probabilities(&self, images: Vec<f32>, batch: usize) -> Vec<f32> {
        let mut rows = self.logits(images, batch);
        for row in rows.chunks_exact_mut(self.names.len()) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|v| f64::from(v - top).exp()).sum();
            for value in row {
                *value = (f64::from(*value - top).exp() / sum) as f32;
            }
        }
        rows
    }
}
