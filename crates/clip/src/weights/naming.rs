//! From a file's names to OpenAI's: what each tensor is made of, and whether none is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use promptsrc_image::Preprocess;
use promptsrc_kernels::Activation;

use super::config::{ClipConfig, TextConfig, VisionConfig};
use super::error::WeightError;
use super::format::{Container, Naming, WeightFormat};
use super::known;
use super::options::WeightOptions;
use super::sidecar::{self, Dimension, Heads, Sidecar};
use super::source::Source;
use super::tokenizer_files;
use crate::tokenizer::{EndOfText, START_OF_TEXT, Tokenizer};

/// A whole CLIP that was found in a file.
pub(super) struct Found {
    pub(super) format: WeightFormat,
    pub(super) config: ClipConfig,
    pub(super) tokenizer: Tokenizer,
    /// What was assumed or left out, for people to read.
    pub(super) notes: Vec<String>,
    /// By name, in OpenAI's naming.
    pub(super) tensors: BTreeMap<String, Tensor>,
}

/// One tensor in OpenAI's naming: its shape there, and what in the file it is made of.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) origin: Origin,
}

/// How a tensor in OpenAI's layout comes from tensors of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// As it is.
    Direct([String; 1]),
    /// With its two axes exchanged.
    Transposed([String; 1]),
    /// Three, stacked along the first axis: query, key, value.
    Stacked([String; 3]),
}

impl Origin {
    pub(super) fn parts(&self) -> &[String] {
        match self {
            Origin::Direct(name) | Origin::Transposed(name) => name,
            Origin::Stacked(names) => names,
        }
    }

    /// The shape of each part in the file, from the shape in OpenAI's layout.
    fn stored_shape(&self, shape: &[usize]) -> Vec<usize> {
        match self {
            Origin::Direct(_) => shape.to_vec(),
            Origin::Transposed(_) => shape.iter().rev().copied().collect(),
            Origin::Stacked(_) => shape
                .iter()
                .enumerate()
                .map(|(axis, extent)| if axis == 0 { extent / 3 } else { *extent })
                .collect(),
        }
    }
}

/// The names of one file.
struct Names<'s> {
    path: &'s Path,
    source: &'s Source,
    naming: Naming,
    /// Prefix of every name: `module.`, `state_dict.`, both, or nothing.
    prefix: String,
    /// Prefix of the text tower's names: `text.` or nothing.
    text_prefix: &'static str,
}

const OPENAI_ANCHOR: &str = "visual.conv1.weight";
const HUGGING_FACE_ANCHOR: &str = "vision_model.embeddings.patch_embedding.weight";

/// Finds out whose names the tensors have and checks that they make a whole CLIP.
pub(super) fn resolve(
    path: &Path,
    source: &Source,
    options: &WeightOptions,
) -> Result<Found, WeightError> {
    let names = Names::find(path, source, options)?;
    let sidecar = names.sidecar()?;
    let mut config = names.config(sidecar.as_ref(), options)?;
    let (mut notes, tokenizer) = match &sidecar {
        Some(sidecar) => {
            let mut notes = sidecar.notes.clone();
            let vocab_size = config.text.vocab_size;
            let (tokenizer, end) = tokenizer_files::open(sidecar, vocab_size, &mut notes)?;
            (config.text.start_of_text, config.text.end_of_text) = (tokenizer.start(), end);
            (notes, tokenizer)
        }
        None => (
            names.assumptions(options, &config),
            Tokenizer::clip().clone(),
        ),
    };

    let mut tensors = BTreeMap::new();
    for (name, shape) in config.tensors() {
        let origin = names.origin(&name);
        names.check(&name, &origin, &shape)?;
        tensors.insert(name, Tensor { shape, origin });
    }
    names.extras(&tensors, &mut notes)?;

    let naming = if names.is_open_clip(sidecar.as_ref()) {
        Naming::OpenClip
    } else {
        names.naming
    };
    Ok(Found {
        format: WeightFormat {
            naming,
            container: source.container,
        },
        config,
        tokenizer,
        notes,
        tensors,
    })
}

impl<'s> Names<'s> {
    fn find(
        path: &'s Path,
        source: &'s Source,
        options: &WeightOptions,
    ) -> Result<Self, WeightError> {
        let resnet =
            |name: &&str| name.contains("visual.layer1.") || name.contains("visual.attnpool.");
        if let Some(tensor) = source.names().find(resnet) {
            return Err(WeightError::ResNet {
                path: path.to_path_buf(),
                tensor: tensor.to_string(),
            });
        }
        let not_clip = |why: &str| WeightError::NotClip {
            path: path.to_path_buf(),
            why: why.to_string(),
            names: first_names(source),
        };
        for (part, why) in [
            ("vision_model.head.", "the names are SigLIP's"),
            ("text_model.head.", "the names are SigLIP's"),
            ("logit_bias", "its loss is SigLIP's"),
            (
                "prompt_learner.",
                "it is a checkpoint of learned prompts, which needs a CLIP as well",
            ),
            ("visual.trunk.", "its image tower is one of timm's"),
        ] {
            if source.names().any(|name| name.contains(part)) {
                return Err(not_clip(why));
            }
        }
        let mut found: Vec<(Naming, String)> = Vec::new();
        for (naming, anchor) in [
            (Naming::OpenAi, OPENAI_ANCHOR),
            (Naming::HuggingFace, HUGGING_FACE_ANCHOR),
        ] {
            let prefixes = source.names().filter_map(|name| name.strip_suffix(anchor));
            let whole = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
            found.extend(whole.map(|prefix| (naming, prefix.to_string())));
        }
        let prefixes = || found.iter().map(|(_, prefix)| prefix.clone()).collect();
        let (naming, prefix) = match (&options.prefix, found.as_slice()) {
            (_, []) => {
                return Err(not_clip(
                    "it has neither visual.conv1.weight (OpenAI, OpenCLIP) nor vision_model.embeddings.patch_embedding.weight (Hugging Face)",
                ));
            }
            (None, [one]) => one.clone(),
            (None, _) => {
                return Err(WeightError::ManyClips {
                    path: path.to_path_buf(),
                    prefixes: prefixes(),
                });
            }
            (Some(chosen), _) => {
                let is_chosen = |prefix: &str| {
                    prefix == chosen || prefix.strip_suffix('.').is_some_and(|p| p == chosen)
                };
                let chosen_one = found.iter().find(|(_, prefix)| is_chosen(prefix));
                chosen_one
                    .cloned()
                    .ok_or_else(|| WeightError::NoSuchPrefix {
                        path: path.to_path_buf(),
                        prefix: chosen.clone(),
                        prefixes: prefixes(),
                    })?
            }
        };
        let custom_text = naming == Naming::OpenAi
            && source
                .get(&format!("{prefix}text.positional_embedding"))
                .is_some();
        Ok(Self {
            path,
            source,
            naming,
            prefix,
            text_prefix: if custom_text { "text." } else { "" },
        })
    }

    /// The configuration beside the file, if there is one of the same library.
    fn sidecar(&self) -> Result<Option<Sidecar>, WeightError> {
        if !self.source.is_on_disk() {
            return Ok(None);
        }
        let file = match (self.naming, self.source.container) {
            // OpenAI's own archives have no configuration: no file beside them is theirs.
            (Naming::OpenAi, Container::TorchScript) => return Ok(None),
            (Naming::HuggingFace, _) => sidecar::HUGGING_FACE,
            _ => sidecar::OPEN_CLIP,
        };
        let beside = self.path.with_file_name(file);
        if !beside.is_file() {
            return Ok(None);
        }
        match self.naming {
            Naming::HuggingFace => sidecar::hugging_face(&beside).map(Some),
            _ => sidecar::open_clip(&beside).map(Some),
        }
    }

    fn is_open_clip(&self, sidecar: Option<&Sidecar>) -> bool {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.naming == Naming::OpenAi
            && (sidecar.is_some()
                || !self.text_prefix.is_empty()
                || self.prefix.contains("module.")
                || file.starts_with("open_clip"))
    }

    // Names.

    fn origin(&self, name: &str) -> Origin {
        if self.naming == Naming::HuggingFace {
            return self.hugging_face(name);
        }
        let text = if name.starts_with("visual.") || name == "logit_scale" {
            ""
        } else {
            self.text_prefix
        };
        Origin::Direct([format!("{}{text}{name}", self.prefix)])
    }

    fn hugging_face(&self, name: &str) -> Origin {
        let prefix = &self.prefix;
        let direct = |name: &str| Origin::Direct([format!("{prefix}{name}")]);
        let (tower, rest) = match name.strip_prefix("visual.") {
            Some(rest) => ("vision_model", rest),
            None => ("text_model", name),
        };
        match (tower, rest) {
            (_, "logit_scale") => direct("logit_scale"),
            ("vision_model", "proj") => {
                Origin::Transposed([format!("{prefix}visual_projection.weight")])
            }
            (_, "text_projection") => {
                Origin::Transposed([format!("{prefix}text_projection.weight")])
            }
            (_, "class_embedding") => direct("vision_model.embeddings.class_embedding"),
            (_, "conv1.weight") => direct(HUGGING_FACE_ANCHOR),
            (_, "positional_embedding") => {
                direct(&format!("{tower}.embeddings.position_embedding.weight"))
            }
            (_, "token_embedding.weight") => direct("text_model.embeddings.token_embedding.weight"),
            _ => {
                if let Some(rest) = rest.strip_prefix("transformer.resblocks.")
                    && let Some((layer, rest)) = rest.split_once('.')
                {
                    return hugging_face_block(
                        &format!("{prefix}{tower}.encoder.layers.{layer}"),
                        rest,
                    );
                }
                let (norm, kind) = rest.split_once('.').unwrap_or((rest, ""));
                let norm = match norm {
                    // The spelling in every file.
                    "ln_pre" => "pre_layrnorm",
                    "ln_post" => "post_layernorm",
                    "ln_final" => "final_layer_norm",
                    other => other,
                };
                direct(&format!("{tower}.{norm}.{kind}"))
            }
        }
    }

    // Shapes.

    /// A tensor's shape in OpenAI's layout, if it has this many axes.
    fn shape<const AXES: usize>(&self, name: &str) -> Result<[usize; AXES], WeightError> {
        let origin = self.origin(name);
        let stored_as = origin.parts().first().cloned().unwrap_or_default();
        let Some(stored) = self.source.get(&stored_as) else {
            return Err(WeightError::Missing {
                path: self.path.to_path_buf(),
                tensor: name.to_string(),
                stored_as,
                shape: None,
            });
        };
        let wrong = |expected: String| WeightError::Shape {
            path: self.path.to_path_buf(),
            tensor: name.to_string(),
            stored_as: stored_as.clone(),
            found: stored.shape.clone(),
            expected,
        };
        let mut shape: [usize; AXES] = stored
            .shape
            .as_slice()
            .try_into()
            .map_err(|_| wrong(format!("{AXES} axes")))?;
        if shape.contains(&0) {
            return Err(wrong("no empty axis".to_string()));
        }
        if matches!(origin, Origin::Transposed(_)) {
            shape.reverse();
        }
        Ok(shape)
    }

    fn config(
        &self,
        sidecar: Option<&Sidecar>,
        options: &WeightOptions,
    ) -> Result<ClipConfig, WeightError> {
        if let (Some(sidecar), Some(option)) = (sidecar, options.first()) {
            return Err(WeightError::Stated {
                path: sidecar.path.clone(),
                option,
            });
        }
        let [vision_width, _, patch_size, _] = self.shape("visual.conv1.weight")?;
        let [positions, _] = self.shape("visual.positional_embedding")?;
        let [_, embed_dim] = self.shape("visual.proj")?;
        let [vision_mlp, _] = self.shape("visual.transformer.resblocks.0.mlp.c_fc.weight")?;
        let [context_length, text_width] = self.shape("positional_embedding")?;
        let [vocab_size, _] = self.shape("token_embedding.weight")?;
        let [text_mlp, _] = self.shape("transformer.resblocks.0.mlp.c_fc.weight")?;

        let grid = (positions - 1).isqrt();
        let resolution = grid.checked_mul(patch_size);
        let Some(resolution) = resolution.filter(|_| grid > 0 && grid * grid == positions - 1)
        else {
            let stored_as = self.origin("visual.positional_embedding").parts().concat();
            return Err(WeightError::Shape {
                path: self.path.to_path_buf(),
                tensor: "visual.positional_embedding".to_string(),
                stored_as,
                found: vec![positions, vision_width],
                expected: "one position for the class token and a square number of patches"
                    .to_string(),
            });
        };

        let resolution = match (sidecar.and_then(|s| s.image_size), options.image_size) {
            (Some((key, side)), _) => {
                let path = sidecar.map_or(self.path, |s| &s.path);
                self.image_size(path, key, side, patch_size, grid)?
            }
            (None, Some(side)) => {
                self.image_size(self.path, "--image-size", side, patch_size, grid)?
            }
            (None, None) => resolution,
        };
        let vision_heads = match (sidecar.map(|s| s.vision_heads), options.heads) {
            (Some(Heads::Count(heads)), _) | (None, Some([heads, _])) => heads,
            (Some(Heads::Width(width)), _) => vision_width / width.max(1),
            (None, None) => ClipConfig::openai_heads(vision_width),
        };
        let text_heads = match (sidecar.map(|s| s.text_heads), options.heads) {
            (Some(heads), _) | (None, Some([_, heads])) => heads,
            (None, None) => ClipConfig::openai_heads(text_width),
        };
        for (tower, width, heads) in [
            ("image", vision_width, vision_heads),
            ("text", text_width, text_heads),
        ] {
            if heads == 0 || width % heads != 0 {
                return Err(WeightError::Heads {
                    path: self.path.to_path_buf(),
                    tower,
                    width,
                    heads,
                });
            }
        }

        let config = ClipConfig {
            embed_dim,
            vision: VisionConfig {
                width: vision_width,
                layers: self.layers("visual.transformer.resblocks."),
                heads: vision_heads,
                mlp_width: vision_mlp,
                patch_size,
                resolution,
            },
            text: TextConfig {
                width: text_width,
                layers: self.layers("transformer.resblocks."),
                heads: text_heads,
                mlp_width: text_mlp,
                context_length,
                vocab_size,
                start_of_text: START_OF_TEXT,
                end_of_text: EndOfText::Greatest,
            },
            activation: match sidecar {
                Some(sidecar) => sidecar.activation,
                None => options.activation.unwrap_or(Activation::QuickGelu),
            },
            layer_norm_eps: sidecar.map_or(ClipConfig::LAYER_NORM_EPS, |s| s.layer_norm_eps),
            preprocess: match sidecar {
                Some(sidecar) => sidecar.preprocess.of(resolution)?,
                None => Preprocess::clip(resolution as u32),
            },
        };
        if let Some(sidecar) = sidecar {
            compare(sidecar, &config)?;
        }
        Ok(config)
    }

    /// The side of the images, if it fits the tower's patches.
    fn image_size(
        &self,
        path: &Path,
        key: &'static str,
        side: usize,
        patch: usize,
        grid: usize,
    ) -> Result<usize, WeightError> {
        // A grid of patches of which the last may be cut off.
        match side / patch.max(1) == grid {
            true => Ok(side),
            false => Err(WeightError::ImageSize {
                path: path.to_path_buf(),
                key,
                side,
                patch,
                grid,
            }),
        }
    }

    /// What is taken for granted where no configuration says it.
    fn assumptions(&self, options: &WeightOptions, config: &ClipConfig) -> Vec<String> {
        let known = !self.source.is_on_disk()
            || (self.naming == Naming::OpenAi
                && self.source.container == Container::TorchScript
                && known::is_openai(self.path));
        if known {
            return Vec::new();
        }
        let mut assumed = Vec::new();
        if options.activation.is_none() {
            assumed.push("QuickGELU (--activation)".to_string());
        }
        if options.heads.is_none() {
            let (vision, text) = (config.vision.heads, config.text.heads);
            assumed.push(format!("{vision} and {text} attention heads (--heads)"));
        }
        if options.image_size.is_none() {
            let side = config.vision.resolution;
            assumed.push(format!("images of {side} x {side} pixels (--image-size)"));
        }
        assumed.push("OpenAI's preprocessing and tokenizer".to_string());
        let file = match self.naming {
            Naming::HuggingFace => sidecar::HUGGING_FACE,
            _ if self.source.container == Container::TorchScript => "configuration",
            _ => sidecar::OPEN_CLIP,
        };
        vec![format!(
            "there is no {file} beside these weights; assumed: {}",
            assumed.join(", ")
        )]
    }

    /// Number of blocks in a tower: how many different numbers the blocks' names have.
    fn layers(&self, blocks: &str) -> usize {
        let first = self.origin(&format!("{blocks}0.ln_1.weight"));
        let first = first.parts().first().map_or("", String::as_str);
        let Some((stem, _)) = first.split_once(".0.") else {
            return 0;
        };
        self.source
            .names()
            .filter_map(|name| name.strip_prefix(stem)?.strip_prefix('.'))
            .filter_map(|rest| rest.split_once('.')?.0.parse::<usize>().ok())
            .collect::<BTreeSet<_>>()
            .len()
    }

    fn check(&self, name: &str, origin: &Origin, shape: &[usize]) -> Result<(), WeightError> {
        let expected = origin.stored_shape(shape);
        for stored_as in origin.parts() {
            let Some(stored) = self.source.get(stored_as) else {
                return Err(WeightError::Missing {
                    path: self.path.to_path_buf(),
                    tensor: name.to_string(),
                    stored_as: stored_as.clone(),
                    shape: Some(expected),
                });
            };
            // Some tools write `logit_scale` as a list of one number.
            let fits = stored.shape == expected || (expected.is_empty() && stored.shape == [1]);
            if !fits {
                return Err(WeightError::Shape {
                    path: self.path.to_path_buf(),
                    tensor: name.to_string(),
                    stored_as: stored_as.clone(),
                    found: stored.shape.clone(),
                    expected: format!("{expected:?}"),
                });
            }
            if stored.dtype.is_none() {
                return Err(WeightError::Type {
                    path: self.path.to_path_buf(),
                    tensor: stored_as.clone(),
                    found: stored.type_name.clone(),
                });
            }
        }
        Ok(())
    }

    /// Notes tensors that are not part of a CLIP; refuses those that change what is computed.
    fn extras(
        &self,
        tensors: &BTreeMap<String, Tensor>,
        notes: &mut Vec<String>,
    ) -> Result<(), WeightError> {
        let used: BTreeSet<&str> = tensors
            .values()
            .flat_map(|tensor| tensor.origin.parts())
            .map(String::as_str)
            .collect();
        let (mut unread, mut extra) = (Vec::new(), Vec::new());
        let mut outside = 0usize;
        for name in self.source.names().filter(|name| !used.contains(name)) {
            let Some(in_clip) = name.strip_prefix(&*self.prefix) else {
                outside += 1;
                continue;
            };
            let last = in_clip.rsplit('.').next().unwrap_or(in_clip);
            if HARMLESS.contains(&last) {
                continue;
            }
            let first = in_clip.split('.').next().unwrap_or(in_clip);
            let alone = first == in_clip;
            match alone || TOWERS.contains(&first) || OTHER_FUNCTIONS.contains(&first) {
                true => unread.push(name),
                false => extra.push(name),
            }
        }
        if !unread.is_empty() {
            return Err(WeightError::Unread {
                path: self.path.to_path_buf(),
                tensors: shown(unread),
            });
        }
        if outside > 0 {
            notes.push(format!(
                "tensors outside {} left out: {outside}",
                self.prefix.trim_end_matches('.')
            ));
        }
        if !extra.is_empty() {
            notes.push(format!("tensors left out: {}", shown(extra)));
        }
        Ok(())
    }
}

/// Number of names shown of a long list.
const SHOWN: usize = 6;

/// Names of what files hold besides weights.
const HARMLESS: [&str; 6] = [
    "position_ids",
    "attn_mask",
    "input_resolution",
    "context_length",
    "vocab_size",
    "num_batches_tracked",
];

/// What the names of a tower's tensors begin with: a tensor there that nobody reads shows that the
/// tower computes something else than CLIP's. In OpenAI's naming the text tower is at the root.
const TOWERS: [&str; 11] = [
    "visual",
    "vision_model",
    "visual_projection",
    "text",
    "text_model",
    "text_projection",
    "transformer",
    "token_embedding",
    "positional_embedding",
    "ln_final",
    "logit_scale",
];

/// Modules beside the towers that change what a model computes of them.
const OTHER_FUNCTIONS: [&str; 3] = ["text_decoder", "adapter", "image_adapter"];

fn shown(mut names: Vec<&str>) -> String {
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.truncate(SHOWN);
    format!("{}{more}", names.join(", "))
}

fn hugging_face_block(block: &str, rest: &str) -> Origin {
    let name = match rest {
        "attn.in_proj_weight" | "attn.in_proj_bias" => {
            let kind = rest.trim_start_matches("attn.in_proj_");
            return Origin::Stacked(
                ["q", "k", "v"].map(|which| format!("{block}.self_attn.{which}_proj.{kind}")),
            );
        }
        "attn.out_proj.weight" => "self_attn.out_proj.weight",
        "attn.out_proj.bias" => "self_attn.out_proj.bias",
        "ln_1.weight" => "layer_norm1.weight",
        "ln_1.bias" => "layer_norm1.bias",
        "ln_2.weight" => "layer_norm2.weight",
        "ln_2.bias" => "layer_norm2.bias",
        "mlp.c_fc.weight" => "mlp.fc1.weight",
        "mlp.c_fc.bias" => "mlp.fc1.bias",
        "mlp.c_proj.weight" => "mlp.fc2.weight",
        "mlp.c_proj.bias" => "mlp.fc2.bias",
        other => other,
    };
    Origin::Direct([format!("{block}.{name}")])
}

fn compare(sidecar: &Sidecar, config: &ClipConfig) -> Result<(), WeightError> {
    for (field, dimension, stated) in &sidecar.stated {
        let found = match dimension {
            Dimension::Embed => config.embed_dim,
            Dimension::VisionWidth => config.vision.width,
            Dimension::VisionLayers => config.vision.layers,
            Dimension::VisionMlp => config.vision.mlp_width,
            Dimension::Patch => config.vision.patch_size,
            Dimension::TextWidth => config.text.width,
            Dimension::TextLayers => config.text.layers,
            Dimension::TextMlp => config.text.mlp_width,
            Dimension::Context => config.text.context_length,
            Dimension::Vocabulary => config.text.vocab_size,
        };
        if *stated != found {
            return Err(WeightError::ConfigMismatch {
                path: sidecar.path.clone(),
                field,
                stated: *stated,
                found,
            });
        }
    }
    Ok(())
}

fn first_names(source: &Source) -> String {
    let names: Vec<&str> = source.names().take(SHOWN + 1).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    match names.as_slice() {
        [] => "no tensors".to_string(),
        [""] => "one tensor without a name".to_string(),
        names => format!("{}{more}", names.get(..SHOWN).unwrap_or(names).join(", ")),
    }
}
