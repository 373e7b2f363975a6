//! What an exported model says about itself: the JSON file beside it, and the metadata inside.

use promptsrc_clip::Activation;
use promptsrc_clip::tokenizer::EndOfText;
use serde::Serialize;
use serde_json::Value;

use super::preprocessing::FullPreprocessing;
use crate::adapter::AdapterMeta;
use crate::clip::Clip;

/// Version of the record.
const FORMAT_VERSION: u32 = 1;

/// The record of an exported model.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OnnxRecord {
    format_version: u32,
    /// Program and version.
    program: String,
    /// `classifier`, `image tower` or `text tower`.
    model: &'static str,
    /// Its inputs and outputs, for people to read.
    tensors: Vec<TensorRecord>,
    #[serde(flatten)]
    classes: Option<ClassesRecord>,
    /// How images must be prepared.
    #[serde(skip_serializing_if = "Option::is_none")]
    preprocessing: Option<FullPreprocessing>,
    /// How texts must be prepared.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextRecord>,
    clip: ClipSource,
    /// The factor between cosine similarities and logits.
    logit_scale: f32,
    activation: Activation,
    layer_norm_eps: f32,
    /// How weights are stored: `f32` or `f16`.
    weights: String,
}

/// An input or output.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TensorRecord {
    pub name: &'static str,
    pub shape: Vec<Value>,
    pub about: &'static str,
}

/// What a classifier knows of its classes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ClassesRecord {
    method: String,
    /// The class names, in the order of the logits.
    labels: Vec<String>,
    /// The class names of the training; none without a training.
    training_labels: Vec<String>,
    /// The labels that the training never saw.
    novel_labels: Vec<String>,
    /// The prompts around the class names.
    templates: Vec<String>,
    /// Precision in which the class features were computed.
    class_features_precision: String,
    /// The data set of the training.
    #[serde(skip_serializing_if = "Option::is_none")]
    training_data: Option<TrainingData>,
}

#[derive(Clone, Debug, Serialize)]
struct TrainingData {
    name: String,
    classes: String,
    shots: Option<usize>,
    images: usize,
    seed: u64,
}

/// Which CLIP it is of.
#[derive(Clone, Debug, Serialize)]
struct ClipSource {
    name: String,
    fingerprint: String,
    embed_dim: usize,
    /// Attention heads of the image and of the text tower.
    heads: [usize; 2],
}

/// How texts become tokens.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TextRecord {
    /// `clip`, or what identifies another one.
    tokenizer: String,
    /// Longest text, in tokens, start and end included.
    context_length: usize,
    vocab_size: usize,
    start_of_text: u32,
    /// The id whose first occurrence is the end of a text; where there is none, the greatest id.
    end_of_text: Option<u32>,
}

impl ClassesRecord {
    /// Of a classifier with the parameters of an adapter.
    pub fn of_adapter(
        clip: &Clip,
        meta: &AdapterMeta,
        labels: &[String],
        templates: Vec<String>,
    ) -> Self {
        let data = &meta.data;
        Self {
            method: meta.method.clone(),
            training_labels: meta.class_names.clone(),
            training_data: Some(TrainingData {
                name: data.name.clone(),
                classes: data.classes.clone(),
                shots: data.shots,
                images: data.images,
                seed: data.seed,
            }),
            ..Self::zero_shot(clip, labels, templates)
        }
        .with_novel()
    }

    /// Of frozen CLIP.
    pub fn zero_shot(clip: &Clip, labels: &[String], templates: Vec<String>) -> Self {
        Self {
            method: "zero-shot".to_string(),
            labels: labels.to_vec(),
            training_labels: Vec::new(),
            novel_labels: labels.to_vec(),
            templates,
            class_features_precision: clip.precision().to_string(),
            training_data: None,
        }
    }

    fn with_novel(mut self) -> Self {
        let known = &self.training_labels;
        self.novel_labels.retain(|label| !known.contains(label));
        self
    }
}

impl TextRecord {
    /// Of a CLIP's text tower.
    pub fn of(clip: &Clip) -> Self {
        let text = &clip.config().text;
        let identity = clip.tokenizer().identity();
        Self {
            tokenizer: identity.unwrap_or_else(|| "clip".to_string()),
            context_length: text.context_length,
            vocab_size: text.vocab_size,
            start_of_text: text.start_of_text,
            end_of_text: match text.end_of_text {
                EndOfText::First(id) => Some(id),
                EndOfText::Greatest => None,
            },
        }
    }
}

impl OnnxRecord {
    /// The record of a model of a CLIP, without what only some models have.
    pub fn new(
        clip: &Clip,
        model: &'static str,
        weights: String,
        tensors: Vec<TensorRecord>,
    ) -> Self {
        let (record, config) = (clip.record(), clip.config());
        Self {
            format_version: FORMAT_VERSION,
            program: format!("promptsrc {}", env!("CARGO_PKG_VERSION")),
            model,
            tensors,
            classes: None,
            preprocessing: None,
            text: None,
            clip: ClipSource {
                name: record.name.clone(),
                fingerprint: record.fingerprint.clone(),
                embed_dim: record.embed_dim,
                heads: [config.vision.heads, config.text.heads],
            },
            logit_scale: clip.logit_scale(),
            activation: config.activation,
            layer_norm_eps: config.layer_norm_eps,
            weights,
        }
    }

    /// With the classes of a classifier.
    pub fn with_classes(self, classes: ClassesRecord) -> Self {
        Self {
            classes: Some(classes),
            ..self
        }
    }

    /// With the preprocessing of an image tower.
    pub fn with_preprocessing(self, preprocessing: FullPreprocessing) -> Self {
        Self {
            preprocessing: Some(preprocessing),
            ..self
        }
    }

    /// With the tokens of a text tower.
    pub fn with_text(self, text: TextRecord) -> Self {
        Self {
            text: Some(text),
            ..self
        }
    }

    /// The bytes of the JSON file.
    pub fn json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text.into_bytes())
    }

    /// Each item of the record by its name, as the metadata of a model has it: texts as they are, anything else as
    /// JSON.
    pub fn metadata(&self) -> Result<Vec<(String, String)>, serde_json::Error> {
        // Through text: numbers of single precision keep their digits.
        let record: Value = serde_json::from_str(&serde_json::to_string(self)?)?;
        let items = record.as_object().cloned().unwrap_or_default();
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(items.into_iter().map(|(k, v)| (k, text(v))).collect())
    }
}
