//! The dimensions of a CLIP.

use promptsrc_image::Preprocess;
use promptsrc_kernels::Activation;

use crate::tokenizer::EndOfText;

/// Dimensions and settings of a CLIP: everything that its tensors' values do not say.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipConfig {
    /// Width of the features that both towers end in.
    pub embed_dim: usize,
    /// The image tower.
    pub vision: VisionConfig,
    /// The text tower.
    pub text: TextConfig,
    /// The blocks' activation, in both towers: QuickGELU in OpenAI's weights, GELU in most of
    /// OpenCLIP's.
    pub activation: Activation,
    /// Added to the variance in every layer normalisation.
    pub layer_norm_eps: f32,
    /// How images are prepared for the image tower; its resolution is that of the tower.
    pub preprocess: Preprocess,
}

/// Dimensions of the image tower, a vision transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisionConfig {
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads of a block.
    pub heads: usize,
    /// Width of a block's hidden layer, usually four times `width`.
    pub mlp_width: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Side of the image, in pixels. What does not fill a patch at the right and at the bottom is not
    /// seen.
    pub resolution: usize,
}

impl VisionConfig {
    /// Patches along one side of the image.
    pub fn grid(&self) -> usize {
        self.resolution / self.patch_size.max(1)
    }

    /// Tokens of an image: the class token and one per patch.
    pub fn tokens(&self) -> usize {
        1 + self.grid() * self.grid()
    }
}

/// Dimensions of the text tower, a causal transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextConfig {
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads of a block.
    pub heads: usize,
    /// Width of a block's hidden layer, usually four times `width`.
    pub mlp_width: usize,
    /// Longest text, in tokens.
    pub context_length: usize,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Token that begins every text.
    pub start_of_text: u32,
    /// Where a text's feature is read.
    pub end_of_text: EndOfText,
}

impl ClipConfig {
    /// What OpenAI's CLIP adds to the variance in layer normalisation.
    pub const LAYER_NORM_EPS: f32 = 1e-5;

    /// Attention heads of a tower by OpenAI's rule, which its files do not state: heads of width 64,
    /// and one in a narrow tower.
    pub fn openai_heads(width: usize) -> usize {
        (width / 64).max(1)
    }

    /// Every tensor of such a CLIP with its shape, in OpenAI's naming and layout.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (vision, text) = (&self.vision, &self.text);
        let mut all = vec![
            ("logit_scale".to_string(), vec![]),
            (
                "positional_embedding".to_string(),
                vec![text.context_length, text.width],
            ),
            (
                "text_projection".to_string(),
                vec![text.width, self.embed_dim],
            ),
            (
                "token_embedding.weight".to_string(),
                vec![text.vocab_size, text.width],
            ),
            ("visual.class_embedding".to_string(), vec![vision.width]),
            (
                "visual.conv1.weight".to_string(),
                vec![vision.width, 3, vision.patch_size, vision.patch_size],
            ),
            (
                "visual.positional_embedding".to_string(),
                vec![vision.tokens(), vision.width],
            ),
            (
                "visual.proj".to_string(),
                vec![vision.width, self.embed_dim],
            ),
        ];
        for norm in ["visual.ln_pre", "visual.ln_post"] {
            all.push((format!("{norm}.weight"), vec![vision.width]));
            all.push((format!("{norm}.bias"), vec![vision.width]));
        }
        all.push(("ln_final.weight".to_string(), vec![text.width]));
        all.push(("ln_final.bias".to_string(), vec![text.width]));
        for layer in 0..vision.layers {
            let block = format!("visual.transformer.resblocks.{layer}");
            block_tensors(&block, vision.width, vision.mlp_width, &mut all);
        }
        for layer in 0..text.layers {
            let block = format!("transformer.resblocks.{layer}");
            block_tensors(&block, text.width, text.mlp_width, &mut all);
        }
        all
    }
}

fn block_tensors(block: &str, width: usize, mlp: usize, all: &mut Vec<(String, Vec<usize>)>) {
    let triple = width.saturating_mul(3);
    for (name, shape) in [
        ("attn.in_proj_weight", vec![triple, width]),
        ("attn.in_proj_bias", vec![triple]),
        ("attn.out_proj.weight", vec![width, width]),
        ("attn.out_proj.bias", vec![width]),
        ("ln_1.weight", vec![width]),
        ("ln_1.bias", vec![width]),
        ("ln_2.weight", vec![width]),
        ("ln_2.bias", vec![width]),
        ("mlp.c_fc.weight", vec![mlp, width]),
        ("mlp.c_fc.bias", vec![mlp]),
        ("mlp.c_proj.weight", vec![width, mlp]),
        ("mlp.c_proj.bias", vec![width]),
    ] {
        all.push((format!("{block}.{name}"), shape));
    }
}
