//! The two frozen towers of a CLIP, on one device.

use burn::tensor::{Device, Tensor};
use promptsrc_kernels::Precision;

use crate::reader::Reader;
use crate::tensors::{in_equal_blocks, unit, values};
use crate::text::TextTower;
use crate::tokenizer::Tokenizer;
use crate::vision::VisionTower;
use crate::weights::{ClipConfig, ClipWeights, WeightError};

/// The two towers of a CLIP on one device.
#[derive(Clone, Debug)]
pub struct ClipModel {
    config: ClipConfig,
    vision: VisionTower,
    text: TextTower,
    tokenizer: Tokenizer,
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
    /// for frozen weights, in this precision; on any other device they are plain tensor operations
    /// in f32.
    ///
    /// # Panics
    /// If this processor cannot compute in the precision ([`Precision::check`]).
    pub fn with_precision(
        weights: &ClipWeights,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, WeightError> {
        let frozen = has_kernels(device).then_some(precision);
        let reader = Reader::of_file(weights, device);
        Self::read(
            &reader,
            weights.config(),
            weights.tokenizer(),
            device,
            frozen,
        )
    }

    /// Reads both towers from a weight file onto a device, with blocks of plain tensor operations
    /// in f32: what devices without kernels compute with.
    pub fn plain(weights: &ClipWeights, device: &Device) -> Result<Self, WeightError> {
        let reader = Reader::of_file(weights, device);
        Self::read(&reader, weights.config(), weights.tokenizer(), device, None)
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
        let reader = Reader::of_tensors(config, tensors, device);
        Self::read(&reader, config, Tokenizer::clip(), device, None)
    }

    /// With a precision the blocks of both towers are the kernels'.
    fn read(
        reader: &Reader,
        config: &ClipConfig,
        tokenizer: &Tokenizer,
        device: &Device,
        frozen: Option<Precision>,
    ) -> Result<Self, WeightError> {
        Ok(Self {
            vision: VisionTower::read(reader, config, frozen)?,
            text: TextTower::read(reader, config, frozen)?,
            // Stored as a logarithm, never clamped.
            logit_scale: values(reader.vector("logit_scale")?)
                .first()
                .copied()
                .unwrap_or(0.0)
                .exp(),
            config: config.clone(),
            tokenizer: tokenizer.clone(),
            device: device.clone(),
            precision: frozen.unwrap_or_default(),
        })
    }

    /// Dimensions and settings of the towers.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// The tokenizer of the text tower.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
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

    /// The device that holds the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Frozen image features `[batch, embed_dim]`, not normalised, of normalised images
    /// `[batch, 3, resolution, resolution]`. No image's numbers depend on the other images.
    pub fn image_features(&self, images: Tensor<4>) -> Tensor<2> {
        self.vision.features_of_each(&self.vision.stem(images), &[])
    }

    /// As [`scaled_cosine`](Self::scaled_cosine), to rounding; no image's numbers depend on the other images.
    pub fn scaled_cosine_of_each(&self, unit_image: Tensor<2>, unit_text: Tensor<2>) -> Tensor<2> {
        in_equal_blocks(unit_image, |rows| {
            self.scaled_cosine(rows, unit_text.clone())
        })
    }

    /// Logits `[images, classes]` of image features `[images, embed_dim]` and text features
    /// `[classes, embed_dim]` of any length.
    pub fn logits(&self, image_features: Tensor<2>, text_features: Tensor<2>) -> Tensor<2> {
        self.scaled_cosine(unit(image_features), unit(text_features))
    }

    /// Logits `[images, classes]` of features of unit length, `[images, embed_dim]` and
    /// `[classes, embed_dim]`: their cosine similarities times the
    /// [`logit_scale`](Self::logit_scale).
    pub fn scaled_cosine(&self, unit_image: Tensor<2>, unit_text: Tensor<2>) -> Tensor<2> {
        unit_image
            .matmul(unit_text.transpose()) // [images, classes]
            .mul_scalar(self.logit_scale)
    }
}

/// Whether frozen blocks are computed by the kernels on a device: on the CPU.
pub fn has_kernels(device: &Device) -> bool {
    *device == Device::flex()
}
