//! A CLIP of ViT-B/16's shape with random weights, as a safetensors file: its arithmetic costs as
//! much as that of trained weights.

use std::path::Path;

use half::f16;
use promptsrc_clip::tokenizer::{EndOfText, START_OF_TEXT};
use promptsrc_clip::weights::{Activation, TextConfig, VisionConfig};
use promptsrc_clip::{ClipConfig, ClipWeights};
use promptsrc_goldens::noise_stream;
use promptsrc_image::Preprocess;
use safetensors::tensor::{Dtype, View};

use crate::failure::Failure;

/// Shape of ViT-B/16.
pub fn vit_b_16() -> ClipConfig {
    ClipConfig {
        embed_dim: 512,
        vision: VisionConfig {
            width: 768,
            layers: 12,
            heads: 12,
            mlp_width: 3072,
            patch_size: 16,
            resolution: 224,
        },
        text: TextConfig {
            width: 512,
            layers: 12,
            heads: 8,
            mlp_width: 2048,
            context_length: 77,
            vocab_size: 49408,
            start_of_text: START_OF_TEXT,
            end_of_text: EndOfText::Greatest,
        },
        activation: Activation::QuickGelu,
        layer_norm_eps: ClipConfig::LAYER_NORM_EPS,
        preprocess: Preprocess::clip(224),
    }
}

/// A tensor whose values are made when they are written.
struct Random {
    name: String,
    shape: Vec<usize>,
    seed: u64,
}

impl View for Random {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        let n = self.shape.iter().product();
        let norm = self.name.contains("ln_") && self.name.ends_with("weight");
        let (middle, scale) = match self.name.as_str() {
            "logit_scale" => (100f32.ln(), 0.0),
            _ if norm => (1.0, 0.0),
            _ => (0.0, 0.035),
        };
        let values = noise_stream(self.seed).take(n);
        let bytes = values.flat_map(|x| f16::from_f32(middle + scale * x).to_le_bytes());
        bytes.collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        2 * self.shape.iter().product::<usize>()
    }
}

/// Writes the file, 0.3 GB: in f16, as the published file is.
pub fn write(path: &Path) -> Result<(), Failure> {
    let tensors = vit_b_16().tensors().into_iter().zip(1..);
    let tensors = tensors.map(|((name, shape), seed)| {
        let tensor = Random {
            name: name.clone(),
            shape,
            seed,
        };
        (name, tensor)
    });
    safetensors::serialize_to_file(tensors, None, path)?;
    Ok(())
}

/// The file in a folder of its own, which goes when the folder does.
pub fn file() -> Result<(tempfile::TempDir, std::path::PathBuf), Failure> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ViT-B-16-random.safetensors");
    write(&path)?;
    Ok((folder, path))
}

/// Its weights, opened, without a file left behind.
pub fn weights() -> Result<ClipWeights, Failure> {
    let (_folder, path) = file()?;
    Ok(ClipWeights::open(path)?)
}
