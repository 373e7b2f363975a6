//! OpenCLIP's `open_clip_config.json`.

use std::path::Path;

use promptsrc_image::{Interpolation, Preprocess, Resize};
use promptsrc_kernels::Activation;
use serde_json::{Value, json};

use super::description::{
    Dimension, Heads, Processing, Sidecar, Texts, TokenizerSource, colours, eps, only_stated,
};
use super::section::Section;
use crate::tokenizer::{Cleaning, EndOfText};
use crate::weights::error::WeightError;

pub(super) fn read(path: &Path) -> Result<Sidecar, WeightError> {
    let mut file = Section::file(path)?;
    if !file.has("model_cfg") {
        return Err(file.problem("there is no model_cfg".to_string()));
    }
    let mut model = file.section("model_cfg")?;
    let mut preprocess = file.section("preprocess_cfg")?;
    file.finish()?;

    let mut vision = model.section("vision_cfg")?;
    let mut text = model.section("text_cfg")?;
    let embed_dim = model.count("embed_dim")?;
    let quick_gelu = model.flag("quick_gelu")?.unwrap_or(false);
    // How the values of a new model are made, how it is stored, and in which form it answers.
    model.harmless(&[
        "cast_dtype",
        "custom_text",
        "init_logit_scale",
        "nonscalar_logit_scale",
        "output_dict",
    ]);
    model.finish()?;

    if let Some(layers) = vision.take("layers") {
        if layers.is_array() {
            return Err(WeightError::ResNet {
                path: path.to_path_buf(),
                tensor: "a list of vision_cfg.layers".to_string(),
            });
        }
        vision.put("layers", layers);
    }
    unsupported_blocks(&mut vision)?;
    unsupported_blocks(&mut text)?;
    let [vision_eps, text_eps] = [norm(&mut vision)?, norm(&mut text)?];
    let layer_norm_eps = eps(path, [vision_eps, text_eps])?;
    let (vision_mlp, text_mlp) = (mlp(&mut vision)?, mlp(&mut text)?);
    let (vision_width, text_width) = (vision.count("width")?, text.count("width")?);
    let hidden = |width: Option<usize>, ratio: Option<f64>| Some((width? as f64 * ratio?) as usize);
    let image_size = vision.side("image_size")?;
    let image_size = image_size.map(|side| ("vision_cfg.image_size", side));
    let stated = only_stated([
        ("model_cfg.embed_dim", Dimension::Embed, embed_dim),
        ("vision_cfg.width", Dimension::VisionWidth, vision_width),
        (
            "vision_cfg.layers",
            Dimension::VisionLayers,
            vision.count("layers")?,
        ),
        (
            "vision_cfg.width * mlp_ratio",
            Dimension::VisionMlp,
            hidden(vision_width, vision_mlp),
        ),
        (
            "vision_cfg.patch_size",
            Dimension::Patch,
            vision.side("patch_size")?,
        ),
        ("text_cfg.width", Dimension::TextWidth, text_width),
        (
            "text_cfg.layers",
            Dimension::TextLayers,
            text.count("layers")?,
        ),
        (
            "text_cfg.width * mlp_ratio",
            Dimension::TextMlp,
            hidden(text_width, text_mlp),
        ),
        (
            "text_cfg.context_length",
            Dimension::Context,
            text.count("context_length")?,
        ),
        (
            "text_cfg.vocab_size",
            Dimension::Vocabulary,
            text.count("vocab_size")?,
        ),
    ]);
    // What OpenCLIP assumes where the file does not say.
    let head_width = vision.count("head_width")?.unwrap_or(64);
    let text_heads = text.count("heads")?.unwrap_or(8);

    vision.only(
        &[
            "attentional_pool",
            "dual_patchnorm",
            "final_ln_after_pool",
            "global_average_pool",
            "input_patchnorm",
            "no_ln_pre",
        ],
        &[json!(false)],
    )?;
    vision.only(&["pool_type"], &[json!("tok")])?;
    // Both are a tensor of the file.
    vision.only(
        &["pos_embed_type"],
        &[json!("learnable"), json!("sin_cos_2d")],
    )?;
    vision.only(&["timm_model_name"], &[])?;
    // Settings of what was refused above, of training, and the form of the answer.
    vision.harmless(&[
        "attn_pooler_heads",
        "attn_pooler_queries",
        "n_queries",
        "output_tokens",
        "patch_dropout",
        "timm_drop",
        "timm_drop_path",
        "timm_model_pretrained",
        "timm_pool",
        "timm_proj",
        "timm_proj_bias",
    ]);
    vision.finish()?;

    text.only(
        &[
            "embed_cls",
            "final_ln_after_pool",
            "no_causal_mask",
            "proj_bias",
        ],
        &[json!(false)],
    )?;
    let eos_id = text.count("eos_id")?.unwrap_or(2);
    let end = match text.text("pool_type")?.as_deref() {
        None | Some("argmax") => EndOfText::Greatest,
        Some("eos") => EndOfText::First(u32::try_from(eos_id).unwrap_or(u32::MAX)),
        Some(other) => return Err(text.unsupported("pool_type", &other.into())),
    };
    let texts = Texts {
        tokenizer: tokenizer(&mut text)?,
        end,
        end_key: "model_cfg.text_cfg.pool_type",
    };
    text.only(&["proj_type"], &[json!("linear")])?;
    text.only(&["hf_model_name", "tokenizer_mode"], &[])?;
    text.harmless(&[
        // Of what follows the end of a text, which is not read.
        "pad_id",
        "hf_model_pretrained",
        "hf_pooler_type",
        "hf_proj_type",
        "output_tokens",
    ]);
    text.finish()?;

    Ok(Sidecar {
        path: path.to_path_buf(),
        activation: match quick_gelu {
            true => Activation::QuickGelu,
            false => Activation::Gelu,
        },
        layer_norm_eps,
        vision_heads: Heads::Width(head_width),
        text_heads,
        image_size,
        preprocess: processing(&mut preprocess, path)?,
        texts,
        stated,
        notes: finished(preprocess)?,
    })
}

/// `hf_tokenizer_name` and `tokenizer_kwargs`.
fn tokenizer(text: &mut Section) -> Result<TokenizerSource, WeightError> {
    let name = text.text("hf_tokenizer_name")?;
    let mut kwargs = text.section("tokenizer_kwargs")?;
    // OpenCLIP's own defaults.
    let default = match name {
        Some(_) => Cleaning::Whitespace,
        None => Cleaning::Lower,
    };
    let cleaning = match kwargs.text("clean")? {
        None => default,
        Some(clean) => Cleaning::ALL
            .into_iter()
            .find(|cleaning| cleaning.name() == clean)
            .ok_or_else(|| {
                let expected = "\"lower\", \"whitespace\" or \"canonicalize\"";
                kwargs.wrong("clean", &clean.into(), expected)
            })?,
    };
    kwargs.only(&["strip_sep_token"], &[json!(false)])?;
    kwargs.only(&["language", "reduction_mask", "tokenizer_mode"], &[])?;
    kwargs.finish()?;
    Ok(match name {
        Some(name) => TokenizerSource::Named { name, cleaning },
        None => TokenizerSource::Clip(cleaning),
    })
}

fn finished(section: Section) -> Result<Vec<String>, WeightError> {
    section.finish()?;
    Ok(Vec::new())
}

/// Settings of a tower's blocks that compute something else than CLIP's.
fn unsupported_blocks(tower: &mut Section) -> Result<(), WeightError> {
    tower.only(
        &[
            "qk_norm",
            "scale_attn",
            "scale_attn_inner",
            "scale_fc",
            "scale_heads",
            "scaled_cosine_attn",
        ],
        &[json!(false)],
    )?;
    tower.only(&["block_type"], &[json!("default")])?;
    tower.only(&["ls_init_value"], &[])?;
    tower.only(&["act_kwargs"], &[json!({})])
}

fn norm(tower: &mut Section) -> Result<Option<f64>, WeightError> {
    let mut norm = tower.section("norm_kwargs")?;
    let eps = norm.number("eps")?;
    norm.finish()?;
    Ok(eps)
}

fn mlp(tower: &mut Section) -> Result<Option<f64>, WeightError> {
    tower.number("mlp_ratio")
}

/// `preprocess_cfg`, as OpenCLIP reads it for evaluation.
fn processing(file: &mut Section, path: &Path) -> Result<Processing, WeightError> {
    file.only(&["mode"], &[json!("RGB")])?;
    let side = file.side("size")?;
    let interpolation = match file.text("interpolation")?.as_deref() {
        // "random" is about training: for evaluation OpenCLIP takes bicubic then.
        None | Some("bicubic" | "random") => Interpolation::Bicubic,
        Some("bilinear") => Interpolation::Bilinear,
        Some(other) => {
            return Err(file.wrong(
                "interpolation",
                &Value::from(other),
                "\"bicubic\" or \"bilinear\"",
            ));
        }
    };
    let mode = file.text("resize_mode")?;
    let fill = file.count("fill_color")?.unwrap_or(0);
    let fill = u8::try_from(fill)
        .map_err(|_| file.wrong("fill_color", &json!(fill), "a number from 0 to 255"))?;
    let (mean, std) = (file.channels("mean")?, file.channels("std")?);
    let (mean, std) = colours(path, mean, std)?;
    // The side is filled in: OpenCLIP too takes that of the image tower.
    let openai = Preprocess::clip(0);
    let (resize, fill) = match mode.as_deref() {
        None | Some("shortest") => (openai.resize, 0),
        Some("longest") => (Resize::Longest, fill),
        Some("squash") => (Resize::Squash, 0),
        Some(other) => {
            return Err(file.wrong(
                "resize_mode",
                &Value::from(other),
                "\"shortest\", \"longest\" or \"squash\"",
            ));
        }
    };
    Ok(Processing {
        path: path.to_path_buf(),
        side: side.map(|side| ("preprocess_cfg.size", side)),
        preprocess: Preprocess {
            resize,
            interpolation,
            fill,
            mean,
            std,
            ..openai
        },
    })
}
