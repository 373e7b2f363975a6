//! The JSON configuration files beside weights: what the tensors do not say.

use std::fs;
use std::path::{Path, PathBuf};

use promptsrc_kernels::Activation;
use serde::Deserialize;
use serde_json::Value;

use super::config::ClipConfig;
use super::error::WeightError;

pub(super) const HUGGING_FACE: &str = "config.json";
pub(super) const HUGGING_FACE_IMAGES: &str = "preprocessor_config.json";
pub(super) const OPEN_CLIP: &str = "open_clip_config.json";

/// What a configuration file says.
#[derive(Debug)]
pub(super) struct Sidecar {
    pub(super) path: PathBuf,
    pub(super) activation: Activation,
    pub(super) layer_norm_eps: f32,
    pub(super) vision_heads: Heads,
    pub(super) text_heads: usize,
    pub(super) mean: [f32; 3],
    pub(super) std: [f32; 3],
    /// Dimensions that the tensors have as well, to be compared with them.
    pub(super) stated: Vec<(&'static str, Dimension, usize)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Heads {
    Count(usize),
    /// The width of one head.
    Width(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Dimension {
    Embed,
    VisionWidth,
    VisionLayers,
    Patch,
    Resolution,
    TextWidth,
    TextLayers,
    Context,
    Vocabulary,
}

pub(super) fn read_json(path: &Path) -> Result<Value, WeightError> {
    let text = fs::read(path).map_err(|source| WeightError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| WeightError::Json {
        path: path.to_path_buf(),
        source,
    })
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path, json: Value) -> Result<T, WeightError> {
    serde_json::from_value(json).map_err(|source| WeightError::Json {
        path: path.to_path_buf(),
        source,
    })
}

/// Whether a `config.json` is of a CLIP in Hugging Face's form; other libraries use that name too.
pub(super) fn is_clip(path: &Path) -> Result<bool, WeightError> {
    let json = read_json(path)?;
    Ok(match json.get("model_type").and_then(Value::as_str) {
        Some(kind) => kind == "clip",
        None => json.get("vision_config").is_some(),
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HfConfig {
    projection_dim: Option<usize>,
    text_config: HfTower,
    vision_config: HfTower,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HfTower {
    hidden_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f32>,
    patch_size: Option<usize>,
    image_size: Option<usize>,
    max_position_embeddings: Option<usize>,
    vocab_size: Option<usize>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Images {
    #[serde(alias = "mean")]
    image_mean: Option<[f32; 3]>,
    #[serde(alias = "std")]
    image_std: Option<[f32; 3]>,
}

impl Sidecar {
    /// Reads Hugging Face's `config.json` and, where it exists, `preprocessor_config.json`.
    pub(super) fn hugging_face(path: &Path) -> Result<Self, WeightError> {
        let mut json = read_json(path)?;
        // Early files have some fields in a second place too, which takes precedence.
        for (to, from) in [
            ("text_config", "text_config_dict"),
            ("vision_config", "vision_config_dict"),
        ] {
            let Some(Value::Object(from)) = json.get(from).cloned() else {
                continue;
            };
            match json.get_mut(to) {
                Some(Value::Object(to)) => to.extend(from),
                _ => {
                    if let Some(json) = json.as_object_mut() {
                        json.insert(to.to_string(), from.into());
                    }
                }
            }
        }
        let config: HfConfig = parse(path, json)?;
        let (text, vision) = (config.text_config, config.vision_config);

        let problem = |problem: String| WeightError::Config {
            path: path.to_path_buf(),
            problem,
        };
        let activation = |tower: &HfTower| match tower.hidden_act.as_deref() {
            Some("quick_gelu") | None => Ok(Activation::QuickGelu),
            Some("gelu") => Ok(Activation::Gelu),
            Some(other) => Err(problem(format!(
                "hidden_act is {other:?}, expected \"quick_gelu\" or \"gelu\""
            ))),
        };
        let (of_text, of_vision) = (activation(&text)?, activation(&vision)?);
        if of_text != of_vision {
            return Err(problem(
                "hidden_act differs between text_config and vision_config".to_string(),
            ));
        }
        let eps = |tower: &HfTower| tower.layer_norm_eps.unwrap_or(ClipConfig::LAYER_NORM_EPS);
        if eps(&text) != eps(&vision) {
            return Err(problem(
                "layer_norm_eps differs between text_config and vision_config".to_string(),
            ));
        }
        check_eps(path, eps(&text))?;

        let beside = path.with_file_name(HUGGING_FACE_IMAGES);
        let images: Images = if beside.is_file() {
            parse(&beside, read_json(&beside)?)?
        } else {
            Images::default()
        };
        let (mean, std) = images.checked(&beside)?;

        let stated = [
            ("projection_dim", Dimension::Embed, config.projection_dim),
            (
                "vision_config.hidden_size",
                Dimension::VisionWidth,
                vision.hidden_size,
            ),
            (
                "vision_config.num_hidden_layers",
                Dimension::VisionLayers,
                vision.num_hidden_layers,
            ),
            (
                "vision_config.patch_size",
                Dimension::Patch,
                vision.patch_size,
            ),
            (
                "vision_config.image_size",
                Dimension::Resolution,
                vision.image_size,
            ),
            (
                "text_config.hidden_size",
                Dimension::TextWidth,
                text.hidden_size,
            ),
            (
                "text_config.num_hidden_layers",
                Dimension::TextLayers,
                text.num_hidden_layers,
            ),
            (
                "text_config.max_position_embeddings",
                Dimension::Context,
                text.max_position_embeddings,
            ),
            (
                "text_config.vocab_size",
                Dimension::Vocabulary,
                text.vocab_size,
            ),
        ];
        Ok(Self {
            path: path.to_path_buf(),
            activation: of_text,
            layer_norm_eps: eps(&text),
            // What transformers assumes where the file does not say.
            vision_heads: Heads::Count(vision.num_attention_heads.unwrap_or(12)),
            text_heads: text.num_attention_heads.unwrap_or(8),
            mean,
            std,
            stated: only_stated(stated),
        })
    }
}

#[derive(Deserialize)]
struct OpenClipFile {
    model_cfg: OpenClipModel,
    #[serde(default)]
    preprocess_cfg: Images,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OpenClipModel {
    embed_dim: Option<usize>,
    quick_gelu: bool,
    vision_cfg: OpenClipVision,
    text_cfg: OpenClipText,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OpenClipVision {
    image_size: Option<Value>,
    layers: Option<Value>,
    width: Option<usize>,
    head_width: Option<usize>,
    patch_size: Option<Value>,
    timm_model_name: Option<String>,
    attentional_pool: Option<Value>,
    pool_type: Option<String>,
    final_ln_after_pool: Option<bool>,
    no_ln_pre: Option<bool>,
    ls_init_value: Option<f64>,
    norm_kwargs: Option<Norm>,
    act_kwargs: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OpenClipText {
    context_length: Option<usize>,
    vocab_size: Option<usize>,
    width: Option<usize>,
    heads: Option<usize>,
    layers: Option<usize>,
    hf_model_name: Option<String>,
    embed_cls: Option<bool>,
    no_causal_mask: Option<bool>,
    pool_type: Option<String>,
    proj_type: Option<String>,
    ls_init_value: Option<f64>,
    norm_kwargs: Option<Norm>,
    act_kwargs: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Norm {
    eps: Option<f32>,
}

impl Sidecar {
    /// Reads OpenCLIP's `open_clip_config.json`.
    pub(super) fn open_clip(path: &Path) -> Result<Self, WeightError> {
        let file: OpenClipFile = parse(path, read_json(path)?)?;
        let model = file.model_cfg;
        let (vision, text) = (model.vision_cfg, model.text_cfg);
        let unknown = |what: String| WeightError::Variant {
            path: path.to_path_buf(),
            what,
        };
        if let Some(name) = &vision.timm_model_name {
            return Err(unknown(format!("its image tower is timm's {name}")));
        }
        if let Some(name) = &text.hf_model_name {
            return Err(unknown(format!("its text tower is {name}")));
        }
        if matches!(vision.layers, Some(Value::Array(_))) {
            return Err(WeightError::ResNet {
                path: path.to_path_buf(),
                tensor: "a list of vision_cfg.layers".to_string(),
            });
        }
        let pooled = |value: &Option<String>, usual: &str| {
            value.as_deref().is_some_and(|pool| pool != usual)
        };
        let set = |value: &Option<Value>| {
            value
                .as_ref()
                .is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
        };
        for (different, field) in [
            (set(&vision.attentional_pool), "vision_cfg.attentional_pool"),
            (pooled(&vision.pool_type, "tok"), "vision_cfg.pool_type"),
            (
                vision.final_ln_after_pool == Some(true),
                "vision_cfg.final_ln_after_pool",
            ),
            (vision.no_ln_pre == Some(true), "vision_cfg.no_ln_pre"),
            (vision.ls_init_value.is_some(), "vision_cfg.ls_init_value"),
            (set(&vision.act_kwargs), "vision_cfg.act_kwargs"),
            (text.embed_cls == Some(true), "text_cfg.embed_cls"),
            (text.no_causal_mask == Some(true), "text_cfg.no_causal_mask"),
            (pooled(&text.pool_type, "argmax"), "text_cfg.pool_type"),
            (pooled(&text.proj_type, "linear"), "text_cfg.proj_type"),
            (text.ls_init_value.is_some(), "text_cfg.ls_init_value"),
            (set(&text.act_kwargs), "text_cfg.act_kwargs"),
        ] {
            if different {
                return Err(unknown(format!(
                    "{field} is set to a value that is not supported"
                )));
            }
        }
        let eps = |norm: &Option<Norm>| {
            let stated = norm.as_ref().and_then(|norm| norm.eps);
            stated.unwrap_or(ClipConfig::LAYER_NORM_EPS)
        };
        if eps(&vision.norm_kwargs) != eps(&text.norm_kwargs) {
            return Err(unknown(
                "norm_kwargs.eps differs between the towers".to_string(),
            ));
        }
        check_eps(path, eps(&text.norm_kwargs))?;
        let (mean, std) = file.preprocess_cfg.checked(path)?;
        let stated = [
            ("model_cfg.embed_dim", Dimension::Embed, model.embed_dim),
            ("vision_cfg.width", Dimension::VisionWidth, vision.width),
            (
                "vision_cfg.layers",
                Dimension::VisionLayers,
                one_size(vision.layers.as_ref()),
            ),
            (
                "vision_cfg.patch_size",
                Dimension::Patch,
                one_size(vision.patch_size.as_ref()),
            ),
            (
                "vision_cfg.image_size",
                Dimension::Resolution,
                one_size(vision.image_size.as_ref()),
            ),
            ("text_cfg.width", Dimension::TextWidth, text.width),
            ("text_cfg.layers", Dimension::TextLayers, text.layers),
            (
                "text_cfg.context_length",
                Dimension::Context,
                text.context_length,
            ),
            (
                "text_cfg.vocab_size",
                Dimension::Vocabulary,
                text.vocab_size,
            ),
        ];
        Ok(Self {
            path: path.to_path_buf(),
            activation: if model.quick_gelu {
                Activation::QuickGelu
            } else {
                Activation::Gelu
            },
            layer_norm_eps: eps(&text.norm_kwargs),
            // What OpenCLIP assumes where the file does not say.
            vision_heads: Heads::Width(vision.head_width.unwrap_or(64)),
            text_heads: text.heads.unwrap_or(8),
            mean,
            std,
            stated: only_stated(stated),
        })
    }
}

fn only_stated<const N: usize>(
    fields: [(&'static str, Dimension, Option<usize>); N],
) -> Vec<(&'static str, Dimension, usize)> {
    fields
        .into_iter()
        .filter_map(|(name, dimension, value)| Some((name, dimension, value?)))
        .collect()
}

/// A size that may be written as one number or as height and width.
fn one_size(value: Option<&Value>) -> Option<usize> {
    let number = match value? {
        Value::Array(sides) => sides.first()?,
        other => other,
    };
    number.as_u64().and_then(|size| usize::try_from(size).ok())
}

fn check_eps(path: &Path, eps: f32) -> Result<(), WeightError> {
    if eps.is_finite() && eps >= 0.0 {
        return Ok(());
    }
    Err(WeightError::Config {
        path: path.to_path_buf(),
        problem: format!(
            "the eps of layer normalisation is {eps}, expected a small positive number"
        ),
    })
}

impl Images {
    fn checked(self, path: &Path) -> Result<([f32; 3], [f32; 3]), WeightError> {
        let mean = self.image_mean.unwrap_or(ClipConfig::MEAN);
        let std = self.image_std.unwrap_or(ClipConfig::STD);
        if mean.iter().all(|m| m.is_finite()) && std.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Ok((mean, std));
        }
        Err(WeightError::Config {
            path: path.to_path_buf(),
            problem: format!(
                "the colour channels have mean {mean:?} and standard deviation {std:?}, expected finite and positive numbers"
            ),
        })
    }
}
