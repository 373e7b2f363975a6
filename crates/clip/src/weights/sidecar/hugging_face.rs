//! Hugging Face's `config.json` of a CLIP.

use std::path::Path;

use promptsrc_kernels::Activation;
use serde_json::{Value, json};

use super::description::{Dimension, Heads, Sidecar, Texts, TokenizerSource, eps, only_stated};
use super::image_processor;
use super::section::Section;
use crate::tokenizer::{END_OF_TEXT, EndOfText};
use crate::weights::error::WeightError;

/// What every configuration of transformers may have and no frozen CLIP computes with: dropout and
/// initialisation (training from scratch), labels, settings of text generation, storage.
const HARMLESS: &[&str] = &[
    "_attn_implementation_autoset",
    "_attn_implementation_internal",
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dropout",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "id2label",
    "initializer_factor",
    "initializer_range",
    "label2id",
    "length_penalty",
    "logit_scale_init_value",
    "max_length",
    "min_length",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tie_word_embeddings",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "use_bfloat16",
    "use_cache",
];

pub(super) fn read(path: &Path) -> Result<Sidecar, WeightError> {
    let mut file = Section::file(path)?;
    let mut text = tower(&mut file, "text_config", "text_config_dict")?;
    let mut vision = tower(&mut file, "vision_config", "vision_config_dict")?;

    let embed_dim = file.count("projection_dim")?;
    let kind = file.text("model_type")?;
    let is_metaclip = match kind.as_deref() {
        None | Some("clip") => false,
        Some("metaclip_2") => true,
        Some(other) => return Err(file.unsupported("model_type", &other.into())),
    };
    common(&mut file)?;
    file.finish()?;

    for (section, tower) in [(&mut text, "text"), (&mut vision, "vision")] {
        let family = if is_metaclip { "metaclip_2" } else { "clip" };
        section.only(&["model_type"], &[json!(format!("{family}_{tower}_model"))])?;
    }
    vision.only(&["num_channels"], &[json!(3)])?;
    let end = match text.count("eos_token_id")? {
        // Early files of CLIP have 2, for which transformers takes the greatest id.
        Some(2) if !is_metaclip => EndOfText::Greatest,
        Some(id) => EndOfText::First(u32::try_from(id).unwrap_or(u32::MAX)),
        None => EndOfText::First(END_OF_TEXT),
    };
    let of_text = activation(&mut text)?;
    let of_vision = activation(&mut vision)?;
    if of_text != of_vision {
        return Err(
            text.problem("hidden_act differs between text_config and vision_config".to_string())
        );
    }
    let layer_norm_eps = eps(
        path,
        [
            vision.number("layer_norm_eps")?,
            text.number("layer_norm_eps")?,
        ],
    )?;
    let image_size = vision.side("image_size")?;
    let image_size = image_size.map(|side| ("vision_config.image_size", side));
    let stated = |section: &mut Section, keys: &[(&str, &'static str, Dimension)]| {
        keys.iter()
            .map(|(key, name, dimension)| Ok((*name, *dimension, section.count(key)?)))
            .collect::<Result<Vec<_>, WeightError>>()
    };
    let mut all = vec![("projection_dim", Dimension::Embed, embed_dim)];
    all.extend(stated(
        &mut vision,
        &[
            (
                "hidden_size",
                "vision_config.hidden_size",
                Dimension::VisionWidth,
            ),
            (
                "num_hidden_layers",
                "vision_config.num_hidden_layers",
                Dimension::VisionLayers,
            ),
            (
                "intermediate_size",
                "vision_config.intermediate_size",
                Dimension::VisionMlp,
            ),
            ("patch_size", "vision_config.patch_size", Dimension::Patch),
        ],
    )?);
    all.extend(stated(
        &mut text,
        &[
            (
                "hidden_size",
                "text_config.hidden_size",
                Dimension::TextWidth,
            ),
            (
                "num_hidden_layers",
                "text_config.num_hidden_layers",
                Dimension::TextLayers,
            ),
            (
                "intermediate_size",
                "text_config.intermediate_size",
                Dimension::TextMlp,
            ),
            (
                "max_position_embeddings",
                "text_config.max_position_embeddings",
                Dimension::Context,
            ),
            (
                "vocab_size",
                "text_config.vocab_size",
                Dimension::Vocabulary,
            ),
        ],
    )?);
    // What transformers assumes where the file does not say.
    let vision_heads = vision.count("num_attention_heads")?.unwrap_or(12);
    let text_heads = text.count("num_attention_heads")?.unwrap_or(8);
    for mut section in [vision, text] {
        // The size of the features is the one of the whole.
        section.harmless(&["projection_dim"]);
        common(&mut section)?;
        section.finish()?;
    }

    let mut notes = Vec::new();
    let preprocess = image_processor::beside(path, &mut notes)?;
    Ok(Sidecar {
        path: path.to_path_buf(),
        activation: of_text,
        layer_norm_eps,
        vision_heads: Heads::Count(vision_heads),
        text_heads,
        image_size,
        preprocess,
        texts: Texts {
            tokenizer: TokenizerSource::Folder {
                or_clip: !is_metaclip,
            },
            end,
            end_key: "text_config.eos_token_id",
        },
        stated: only_stated_list(all),
        notes,
    })
}

fn only_stated_list(
    fields: Vec<(&'static str, Dimension, Option<usize>)>,
) -> Vec<(&'static str, Dimension, usize)> {
    fields
        .into_iter()
        .flat_map(|field| only_stated([field]))
        .collect()
}

/// A tower's section. Early files have some fields in a second place too, which takes precedence.
fn tower<'p>(file: &mut Section<'p>, name: &str, second: &str) -> Result<Section<'p>, WeightError> {
    let mut section = file.section(name)?;
    if file.has(second) {
        section.merge(file.section(second)?);
    }
    Ok(section)
}

fn activation(tower: &mut Section) -> Result<Activation, WeightError> {
    match tower.text("hidden_act")?.as_deref() {
        Some("quick_gelu") | None => Ok(Activation::QuickGelu),
        Some("gelu") => Ok(Activation::Gelu),
        Some(other) => Err(tower.wrong(
            "hidden_act",
            &Value::from(other),
            "\"quick_gelu\" or \"gelu\"",
        )),
    }
}

/// Keys of every configuration of transformers.
fn common(section: &mut Section) -> Result<(), WeightError> {
    section.only(
        &["is_decoder", "add_cross_attention", "is_encoder_decoder"],
        &[json!(false)],
    )?;
    section.only(&["pruned_heads"], &[json!({}), json!([])])?;
    section.harmless(HARMLESS);
    Ok(())
}
