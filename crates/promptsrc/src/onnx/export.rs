//! Writes classifiers and towers as ONNX models, each with a JSON file beside it.

use std::fmt;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use promptsrc_clip::values;
use promptsrc_files::{AtomicFile, SaveError};
use promptsrc_onnx::{Dim, Element, Header, LARGEST_MODEL, Storage, WriteError};
use serde::Serialize;
use serde_json::json;

use super::class_head;
use super::error::OnnxError;
use super::image_tower::{self, BATCH, IMAGES};
use super::preprocessing::FullPreprocessing;
use super::record::{ClassesRecord, OnnxRecord, TensorRecord, TextRecord};
use super::text_tower::{self, TOKENS};
use super::tower_weights::{TowerGraph, TowerWeights};
use crate::adapter::Adapter;
use crate::classifier::{ClassText, Classifier, ClassifierError};
use crate::clip::Clip;
use crate::config::MethodConfig;

/// How weights are stored. Everything is computed in f32 in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum OnnxWeights {
    /// In single precision.
    #[default]
    F32,
    /// In half precision, which a runtime widens when it loads the file: half the size, the same speed.
    /// What was published in half precision loses nothing.
    F16,
}

/// How a model is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnnxOptions {
    /// How weights are stored.
    pub weights: OnnxWeights,
    /// With more bytes of constants than this they get a file of their own beside the model. A single file
    /// has less than 2 GiB.
    pub external_above: u64,
}

impl Default for OnnxOptions {
    fn default() -> Self {
        Self {
            weights: OnnxWeights::F32,
            external_above: LARGEST_MODEL,
        }
    }
}

/// A tower of CLIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum OnnxTower {
    /// Images to features.
    Image,
    /// Tokens to features.
    Text,
}

/// An exported model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnnxExport {
    /// The model.
    pub model: PathBuf,
    /// Its record.
    pub record: PathBuf,
    /// The file of its constants, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// The files of a model that is exported to `out`: the model, its record, and its constants if they get a file of
/// their own.
///
/// # Errors
/// [`OnnxError::Name`] if the name does not end in `.onnx`.
pub fn onnx_paths(out: &Path) -> Result<[PathBuf; 3], OnnxError> {
    let name = || OnnxError::Name { path: out.into() };
    if out.extension().is_none_or(|extension| extension != "onnx") {
        return Err(name());
    }
    let mut data = out.file_name().ok_or_else(name)?.to_os_string();
    data.push(".data");
    let data = out.with_file_name(data);
    Ok([out.to_path_buf(), out.with_extension("json"), data])
}

/// Exports an adapter as a classifier among these names: `pixel_values` `[batch, 3, resolution, resolution]` to
/// `logits` and `probabilities` `[batch, classes]` and `features` `[batch, embed_dim]`. Learned prompts of the
/// image tower are part of the graph, and the class features are a matrix.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use promptsrc::{Adapter, Clip, OnnxOptions, export_onnx};
///
/// let clip = Clip::open("ViT-B/16")?;
/// let adapter = Adapter::load("run/adapter.safetensors".as_ref())?;
/// let options = OnnxOptions::default();
/// export_onnx(&clip, &adapter, &["cat", "dog"], "model.onnx".as_ref(), &options)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`OnnxError`]; [`OnnxError::Conditioned`] where the class features depend on the image.
pub fn export_onnx(
    clip: &Clip,
    adapter: &Adapter,
    names: &[impl AsRef<str>],
    out: &Path,
    options: &OnnxOptions,
) -> Result<OnnxExport, OnnxError> {
    onnx_paths(out)?;
    let meta = &adapter.meta;
    if let MethodConfig::Prompts(_) = &meta.config {
        let model = meta.prompt_model().map_err(ClassifierError::from)?;
        if model.is_conditioned() {
            let method = meta.method.clone();
            return Err(OnnxError::Conditioned { method });
        }
    }
    let classifier = adapter.classifier(clip, names)?;
    let templates = meta.templates().map_err(ClassifierError::from)?;
    let classes = ClassesRecord::of_adapter(clip, meta, classifier.names(), templates);
    let recorded = (classes, meta.data.exif);
    export_classifier(clip, &classifier, recorded, out, options)
}

/// Exports frozen CLIP as a classifier among these names, as [`export_onnx`] does; each class is the normalised
/// mean of its unit features over the templates.
///
/// # Errors
/// [`OnnxError`].
pub fn export_zero_shot_onnx(
    clip: &Clip,
    names: &[impl AsRef<str>],
    templates: &[impl AsRef<str>],
    out: &Path,
    options: &OnnxOptions,
) -> Result<OnnxExport, OnnxError> {
    onnx_paths(out)?;
    let classifier = Classifier::zero_shot(clip, names, templates)?;
    let templates = templates.iter().map(|t| t.as_ref().to_string()).collect();
    let classes = ClassesRecord::zero_shot(clip, classifier.names(), templates);
    export_classifier(clip, &classifier, (classes, false), out, options)
}

/// Exports a frozen tower: `pixel_values` `[batch, 3, resolution, resolution]` to `image_embeds`, or `input_ids`
/// `[batch, sequence]` to `text_embeds`, `[batch, embed_dim]` each and not of unit length.
///
/// # Errors
/// [`OnnxError`].
pub fn export_tower_onnx(
    clip: &Clip,
    tower: OnnxTower,
    out: &Path,
    options: &OnnxOptions,
) -> Result<OnnxExport, OnnxError> {
    onnx_paths(out)?;
    let weights = options.weights_of(clip);
    let embed_dim = clip.config().embed_dim;
    let shape = [BATCH, Dim::Is(embed_dim)];
    let output = |name| TensorRecord {
        name,
        shape: vec![json!("batch"), json!(embed_dim)],
        about: "features, not of unit length",
    };
    let about = |model, tensors| {
        let stored = options.weights.to_string();
        OnnxRecord::new(clip, model, stored, tensors)
    };
    match tower {
        OnnxTower::Image => {
            let mut graph = TowerGraph::new("image tower");
            let features = image_tower::add(&mut graph, &weights, &[])?;
            graph.output(&features, "image_embeds", Element::F32, &shape);
            let tensors = vec![images(clip), output("image_embeds")];
            let record = about("image tower", tensors)
                .with_preprocessing(FullPreprocessing::of(&clip.preprocess(), false));
            write(&graph, &record, out, options)
        }
        OnnxTower::Text => {
            let mut graph = TowerGraph::new("text tower");
            let features = text_tower::add(&mut graph, &weights);
            graph.output(&features, "text_embeds", Element::F32, &shape);
            let tokens = TensorRecord {
                name: TOKENS,
                shape: vec![json!("batch"), json!("sequence")],
                about: "token ids from start-of-text to end-of-text, padded with 0, or with end-of-text \
                        where that is the greatest id",
            };
            let tensors = vec![tokens, output("text_embeds")];
            let record = about("text tower", tensors).with_text(TextRecord::of(clip));
            write(&graph, &record, out, options)
        }
    }
}

/// With what is recorded of the classes, and whether images are turned by their EXIF orientation.
fn export_classifier(
    clip: &Clip,
    classifier: &Classifier,
    (classes, exif): (ClassesRecord, bool),
    out: &Path,
    options: &OnnxOptions,
) -> Result<OnnxExport, OnnxError> {
    let (count, embed_dim) = (classifier.names().len(), clip.config().embed_dim);
    let weights = options.weights_of(clip);
    let mut graph = TowerGraph::new("classifier");
    let features = image_tower::add(&mut graph, &weights, classifier.vision_prompts())?;
    let shape = [BATCH, Dim::Is(embed_dim)];
    let features = graph.output(&features, "features", Element::F32, &shape);
    let logits = match classifier.text() {
        ClassText::Features(text) => {
            let text = values((**text).clone());
            finite(&text, clip)?;
            let scale = clip.logit_scale();
            class_head::cosines(&mut graph, &features, &text, embed_dim, scale)
        }
        ClassText::Head(head, text) => {
            finite(text, clip)?;
            class_head::of_head(&mut graph, &features, head, text)
        }
        ClassText::Conditioned(_) => {
            return Err(OnnxError::Conditioned {
                method: "cocoop".to_string(),
            });
        }
    };
    let shape = [BATCH, Dim::Is(count)];
    let logits = graph.output(&logits, "logits", Element::F32, &shape);
    let axis = [promptsrc_onnx::Attribute::Int("axis", -1)];
    let probabilities = graph.node("Softmax", &[&logits], &axis);
    graph.output(&probabilities, "probabilities", Element::F32, &shape);
    let output = |name, width: usize, about| TensorRecord {
        name,
        shape: vec![json!("batch"), json!(width)],
        about,
    };
    let tensors = vec![
        images(clip),
        output("features", embed_dim, "image features, not of unit length"),
        output("logits", count, "a number for each label"),
        output("probabilities", count, "softmax of the logits"),
    ];
    let stored = options.weights.to_string();
    let record = OnnxRecord::new(clip, "classifier", stored, tensors)
        .with_classes(classes)
        .with_preprocessing(FullPreprocessing::of(&clip.preprocess(), exif));
    write(&graph, &record, out, options)
}

/// The record of the images that a model takes.
fn images(clip: &Clip) -> TensorRecord {
    let side = clip.config().vision.resolution;
    TensorRecord {
        name: IMAGES,
        shape: vec![json!("batch"), json!(3), json!(side), json!(side)],
        about: "images prepared as `preprocessing` says: red, green, blue",
    }
}

fn finite(features: &[f32], clip: &Clip) -> Result<(), OnnxError> {
    match features.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(OnnxError::NotFinite {
            value: *value,
            precision: clip.precision().to_string(),
        }),
    }
}

/// Writes a model and its record. Files that are there are replaced, the model last, and none of them if anything
/// fails before all are written.
fn write(
    graph: &TowerGraph,
    record: &OnnxRecord,
    out: &Path,
    options: &OnnxOptions,
) -> Result<OnnxExport, OnnxError> {
    let [model, beside, data] = onnx_paths(out)?;
    let problem = |e: serde_json::Error| OnnxError::Model(e.to_string());
    let json = record.json().map_err(problem)?;
    let header = Header {
        producer: "promptsrc".to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        description: String::new(),
        metadata: record.metadata().map_err(problem)?,
    };
    let buffered = |path: &Path| -> Result<_, SaveError> {
        let file = AtomicFile::create(path)?;
        Ok(BufWriter::with_capacity(BUFFER, file))
    };
    let mut model_file = buffered(&model)?;
    let mut record_file = buffered(&beside)?;
    let is_external = graph.constant_bytes() > options.external_above.min(LARGEST_MODEL);
    let mut data_file = match is_external {
        true => Some(buffered(&data)?),
        false => None,
    };
    let name = data.file_name().unwrap_or_default().to_string_lossy();
    let external = data_file
        .as_mut()
        .map(|file| (&*name, file as &mut dyn Write));
    graph
        .write(&header, &mut model_file, external)
        .map_err(|error| match error {
            WriteError::Model(source) => not_saved(&model, source),
            WriteError::Data(source) => not_saved(&data, source),
            WriteError::Read(error) => OnnxError::Weights(error),
            other => OnnxError::Model(other.to_string()),
        })?;
    let json = record_file.write_all(&json);
    json.map_err(|source| not_saved(&beside, source))?;
    // The model last: it needs the others.
    let files = [
        data_file.map(|file| (&data, file)),
        Some((&beside, record_file)),
        Some((&model, model_file)),
    ];
    let mut whole = Vec::new();
    for (path, file) in files.into_iter().flatten() {
        let file = file.into_inner();
        whole.push((path, file.map_err(|e| not_saved(path, e.into_error()))?));
    }
    let mut bytes = 0;
    for (path, file) in whole {
        file.commit()?;
        let length = std::fs::metadata(path).map(|there| there.len());
        bytes += length.map_err(|source| not_saved(path, source))?;
    }
    Ok(OnnxExport {
        model,
        record: beside,
        data: is_external.then_some(data),
        bytes,
    })
}

fn not_saved(path: &Path, source: std::io::Error) -> OnnxError {
    let path = path.to_path_buf();
    SaveError { path, source }.into()
}

/// Bytes that are written at once.
const BUFFER: usize = 1 << 18;

impl OnnxOptions {
    fn weights_of<'a>(&self, clip: &'a Clip) -> TowerWeights<'a> {
        TowerWeights {
            clip: clip.weights(),
            storage: match self.weights {
                OnnxWeights::F32 => Storage::F32,
                OnnxWeights::F16 => Storage::F16,
            },
        }
    }
}

impl fmt::Display for OnnxWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        })
    }
}
