//! CLIP with prompt slots: weight files, tokenizer and the two frozen towers.
//!
//! ```no_run
//! use promptsrc_clip::{ClipModel, Tokenizer, weights::ClipWeights};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let weights = ClipWeights::open("ViT-B-16.pt")?;
//! let clip = ClipModel::new(&weights, &Default::default())?;
//! let tokens = vec![Tokenizer::clip().tokenize("a photo of a cat.", 77, false)?];
//! let features = clip.text().encode(&tokens)?; // [1, embed_dim]
//! # Ok(())
//! # }
//! ```

mod attention;
mod block;
pub mod hub;
mod layers;
mod rows;
pub mod templates;
mod text;
mod text_cleaning;
pub mod tokenizer;
mod vision;
pub mod weights;

use burn::tensor::{Device, Tensor};

use layers::Reader;
pub use promptsrc_kernels::{Precision, PrecisionError};
pub use text::{TextInput, TextInputError, TextTower};
pub use tokenizer::{TokenizeError, Tokenizer};
pub use vision::{VisionStem, VisionTower};
pub use weights::{ClipConfig, ClipWeights, WeightError};

/// A frozen CLIP on one device.
#[derive(Clone, Debug)]
pub struct ClipModel {
    config: ClipConfig,
    vision: VisionTower,
    text: TextTower,
    logit_scale: f32,
    device: Device,
    precision: Precision,
}

impl ClipModel {
    /// Reads both towers from a weight file onto a device, in f32.
    pub fn new(weights: &ClipWeights, device: &Device) -> Result<Self, WeightError> {
        Self::with_precision(weights, device, Precision::F32)
    }

    /// Reads both towers from a weight file onto a device. On the CPU their blocks are the kernels
    /// for frozen weights, in this precision; on any other device plain tensor operations in f32.
    ///
    /// # Panics
    /// If this processor cannot compute in the precision ([`Precision::check`]).
    pub fn with_precision(
        weights: &ClipWeights,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, WeightError> {
        let frozen = has_kernels(device).then_some(precision);
        Self::read(
            &Reader::of_file(weights, device, frozen),
            weights.config().clone(),
            device,
            frozen.unwrap_or_default(),
        )
    }

    /// Reads both towers from a weight file onto a device, as plain tensor operations in f32: what
    /// devices without kernels of their own compute with.
    pub fn plain(weights: &ClipWeights, device: &Device) -> Result<Self, WeightError> {
        Self::read(
            &Reader::of_file(weights, device, None),
            weights.config().clone(),
            device,
            Precision::F32,
        )
    }

    /// Makes both towers of tensors in memory: `tensors` gives each of [`ClipConfig::tensors`]
    /// flat, as OpenAI lays it out. Where they require gradients the towers are not frozen: their
    /// features can be differentiated by them.
    ///
    /// # Panics
    /// If a tensor has fewer or more values than its shape asks for.
    pub fn from_tensors(
        config: &ClipConfig,
        device: &Device,
        tensors: &dyn Fn(&str) -> Tensor<1>,
    ) -> Result<Self, WeightError> {
        Self::read(
            &Reader::of_tensors(config, tensors, device),
            config.clone(),
            device,
            Precision::F32,
        )
    }

    fn read(
        reader: &Reader,
        config: ClipConfig,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, WeightError> {
        Ok(Self {
            precision,
            vision: VisionTower::read(reader, &config)?,
            text: TextTower::read(reader, &config)?,
            // Stored as a logarithm, never clamped.
            logit_scale: values(reader.vector("logit_scale")?)
                .first()
                .copied()
                .unwrap_or(0.0)
                .exp(),
            config,
            device: device.clone(),
        })
    }

    /// Shapes of the towers.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// The number format of the blocks' weights.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The image tower.
    pub fn vision(&self) -> &VisionTower {
        &self.vision
    }

    /// The text tower.
    pub fn text(&self) -> &TextTower {
        &self.text
    }

    /// The factor between cosine similarities and logits (the exponential of the stored value).
    pub fn logit_scale(&self) -> f32 {
        self.logit_scale
    }

    /// Where the weights lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Frozen image features `[batch, embed_dim]`, not normalised, of normalised images
    /// `[batch, 3, resolution, resolution]`.
    pub fn image_features(&self, images: Tensor<4>) -> Tensor<2> {
        self.vision.features(&self.vision.stem(images), &[])
    }

    /// Logits `[images, classes]`: scaled cosine similarities of features that are made unit
    /// length here.
    pub fn logits(&self, image_features: Tensor<2>, text_features: Tensor<2>) -> Tensor<2> {
        unit(image_features)
            .matmul(unit(text_features).transpose())
            .mul_scalar(self.logit_scale)
    }
}

/// Whether a device computes frozen blocks with kernels of their own: the CPU.
pub fn has_kernels(device: &Device) -> bool {
    *device == Device::flex()
}

/// Rows divided by their Euclidean length.
pub fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().powi_scalar(2).sum_dim(1).sqrt();
    x / length
}

/// The values of a tensor, row-major, on the host.
///
/// # Panics
/// If the device fails.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec::<f32>()
        .unwrap_or_else(|e| panic!("the device gave no f32 values: {e:?}"))
}
