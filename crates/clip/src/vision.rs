//! The image tower: a vision transformer with slots for prompt tokens, in a form that saves work
//! and computes the same function as [`PlainClip::image_features`](crate::plain::PlainClip).

use burn::tensor::{Tensor, TensorData};
use promptsrc_kernels::{BlockShape, Layout, Precision};

use crate::block::{Block, Blocks, Form, Projected};
use crate::layers::LayerNorm;
use crate::reader::Reader;
use crate::rows::Rows;
use crate::tensors::{BLOCK, in_equal_blocks};
use crate::weights::{ClipConfig, WeightError};

/// CLIP's frozen image tower.
///
/// An image passes through it in two parts: [`stem`](Self::stem) is the half of the first layer
/// that no prompt touches, computed once and used by the frozen and the prompted pass alike;
/// [`features`](Self::features) is the rest.
///
/// The function that is computed, without any saving, is
/// [`PlainClip::image_features`](crate::plain::PlainClip::image_features).
#[derive(Clone, Debug)]
pub struct VisionTower {
    /// `[3 * patch_size * patch_size, width]`.
    patch_embedding: Tensor<2>,
    /// `[1, width]`.
    class_embedding: Tensor<2>,
    /// `[1 + patches, width]`.
    positional_embedding: Tensor<2>,
    ln_pre: LayerNorm,
    blocks: Blocks,
    ln_post: LayerNorm,
    /// `[width, embed_dim]`.
    projection: Tensor<2>,
    patch_size: usize,
    resolution: usize,
    width: usize,
}

/// Most images that are put through the tower at a time where more wait.
const MOST_IMAGES: usize = 4 * BLOCK;

/// What the first layer makes of images alone: class and patch tokens after `ln_pre`, and their
/// queries, keys and values in block 0. No learned value enters here.
#[derive(Clone, Debug)]
pub struct VisionStem {
    batch: usize,
    /// `[batch * (1 + patches), width]`.
    tokens: Tensor<2>,
    /// Of the tokens in block 0.
    projected: Projected,
}

impl VisionStem {
    /// Number of images.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

impl VisionTower {
    /// Reads the tower; with a precision its blocks are the kernels'.
    pub(crate) fn read(
        reader: &Reader,
        config: &ClipConfig,
        frozen: Option<Precision>,
    ) -> Result<Self, WeightError> {
        let vision = &config.vision;
        let epsilon = config.layer_norm_eps;
        let shape = BlockShape {
            width: vision.width,
            heads: vision.heads,
            hidden: vision.mlp_width,
            activation: config.activation,
            epsilon,
        };
        let blocks = "visual.transformer.resblocks";
        Ok(Self {
            patch_embedding: reader.matrix("visual.conv1.weight")?.transpose(),
            class_embedding: reader.vector("visual.class_embedding")?.unsqueeze(),
            positional_embedding: reader.matrix("visual.positional_embedding")?,
            ln_pre: reader.layer_norm("visual.ln_pre", epsilon)?,
            blocks: Blocks::read(reader, blocks, vision.layers, shape, frozen)?,
            ln_post: reader.layer_norm("visual.ln_post", epsilon)?,
            projection: reader.matrix("visual.proj")?,
            patch_size: vision.patch_size,
            resolution: vision.resolution,
            width: vision.width,
        })
    }

    /// Number of transformer blocks: the greatest prompt depth.
    pub fn layers(&self) -> usize {
        self.blocks.len()
    }

    /// Width of a token, and of a prompt.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Side of the square images that the tower takes, in pixels.
    pub fn resolution(&self) -> usize {
        self.resolution
    }

    /// Images as a tensor `[batch, 3, resolution, resolution]` on the tower's device, from their
    /// normalised values, image after image.
    ///
    /// # Panics
    /// If there are more or fewer values.
    pub fn images(&self, values: Vec<f32>, batch: usize) -> Tensor<4> {
        let shape = [batch, 3, self.resolution, self.resolution];
        let device = self.class_embedding.device();
        Tensor::from_data(TensorData::new(values, shape), &device)
    }

    /// The part of the first layer that depends on the images alone.
    ///
    /// `images`: `[batch, 3, resolution, resolution]`, normalised.
    ///
    /// # Panics
    /// If the shape is another.
    pub fn stem(&self, images: Tensor<4>) -> VisionStem {
        let [batch, channels, height, width] = images.dims();
        assert_eq!(
            (channels, height, width),
            (3, self.resolution, self.resolution),
            "the image tower takes [batch, 3, {0}, {0}]",
            self.resolution
        );
        let patches = self.embed_patches(images); // [batch, patches, width]
        let class = self
            .class_embedding
            .clone()
            .unsqueeze::<3>() // [1, 1, width]
            .expand([batch, 1, self.width]); // [batch, 1, width]
        let tokens = Tensor::cat(vec![class, patches], 1) // [batch, 1 + patches, width]
            + self.positional_embedding.clone().unsqueeze::<3>();
        let [_, length, _] = tokens.dims();
        let tokens = tokens.reshape([batch * length, self.width]); // [batch * (1 + patches), width]
        let tokens = self.ln_pre.forward(tokens);
        VisionStem {
            batch,
            projected: self.blocks.project_first(tokens.clone()),
            tokens,
        }
    }

    /// `[batch, 3, resolution, resolution]` -> `[batch, patches, width]`: a convolution whose
    /// stride is its kernel's size, as one product over the patches.
    fn embed_patches(&self, images: Tensor<4>) -> Tensor<3> {
        let [batch, ..] = images.dims();
        let (size, side) = (self.patch_size, self.resolution / self.patch_size);
        let seen = size * side;
        let images = match seen == self.resolution {
            true => images,
            false => images.slice([0..batch, 0..3, 0..seen, 0..seen]),
        };
        images
            .reshape([batch, 3, side, size, side, size]) // [batch, 3, side, size, side, size]
            .permute([0, 2, 4, 1, 3, 5]) // [batch, side, side, 3, size, size]
            .reshape([batch * side * side, 3 * size * size]) // [batch * patches, 3 * size * size]
            .matmul(self.patch_embedding.clone()) // [batch * patches, width]
            .reshape([batch, side * side, self.width]) // [batch, patches, width]
    }

    /// Images to put through the tower at a time where more wait, 8 to 32: on a processor as many as keep its
    /// threads busy, because the memory of a pass goes on growing with its images and its speed does not.
    pub fn images_at_a_time(&self) -> usize {
        let side = self.resolution / self.patch_size;
        match self.blocks.frozen() {
            Some(_) => images_of_pass(side * side + 1, rayon::current_num_threads()),
            None => MOST_IMAGES,
        }
    }

    /// Image features `[batch, embed_dim]`, not normalised.
    ///
    /// `prompts[l]` `[n_ctx, width]` enters at block `l`; prompt tokens follow the patches.
    /// The first joins before `ln_pre` and gets no positional embedding; each further one takes
    /// the place of the prompt tokens just before its block, without a normalisation of its own.
    /// From the last given block on, the prompt tokens stay and are transformed like any other.
    /// Without prompts this is frozen CLIP. Prompts beyond the last block are ignored.
    pub fn features(&self, stem: &VisionStem, prompts: &[Tensor<2>]) -> Tensor<2> {
        let class = self.class_tokens(stem, prompts); // [batch, width]
        class.matmul(self.projection.clone()) // [batch, embed_dim]
    }

    /// As [`features`](Self::features), to rounding; no image's numbers depend on the other images. For what is
    /// answered, not for what is learned from.
    pub fn features_of_each(&self, stem: &VisionStem, prompts: &[Tensor<2>]) -> Tensor<2> {
        let class = self.class_tokens(stem, prompts); // [batch, width]
        in_equal_blocks(class, |rows| rows.matmul(self.projection.clone())) // [batch, embed_dim]
    }

    /// The class tokens `[batch, width]` before the projection.
    fn class_tokens(&self, stem: &VisionStem, prompts: &[Tensor<2>]) -> Tensor<2> {
        let class = match &self.blocks {
            Form::Frozen(b) => self.transform(b, stem, stem.projected.frozen(), prompts),
            Form::Plain(b) => self.transform(b, stem, stem.projected.plain(), prompts),
        };
        self.ln_post.forward(class)
    }

    /// The class tokens `[batch, width]` after the last block. `projected`: the stem's tokens in
    /// block 0, where they have been projected in the form of these blocks.
    fn transform<B: Block>(
        &self,
        blocks: &[B],
        stem: &VisionStem,
        projected: Option<&B::Projected>,
        prompts: &[Tensor<2>],
    ) -> Tensor<2> {
        let (batch, last) = (stem.batch, blocks.len() - 1);
        let mut tokens = stem.tokens.clone(); // [batch * length, width]
        let mut given = projected;
        for (layer, block) in blocks.iter().enumerate() {
            let mut prompt = self.prompt(layer, prompts); // [n_ctx, width]
            let overwritten = layer + 1 < prompts.len();
            if !overwritten && layer != last {
                // The outputs of the prompt tokens are read: each image has its own from here on.
                if let Some(prompt) = prompt.take() {
                    // [batch * (length + n_ctx), width]
                    tokens = append_to_each(tokens, prompt, batch);
                    given = None;
                }
            }
            let rows = needed_rows(batch, tokens.dims()[0] / batch, layer == last);
            // [batch * length, width], from the last block [batch, width]
            tokens = block.forward(tokens, prompt, &rows, None, given.take());
        }
        tokens
    }

    /// The prompt tokens `[n_ctx, width]` that enter at a block.
    fn prompt(&self, layer: usize, prompts: &[Tensor<2>]) -> Option<Tensor<2>> {
        let prompt = prompts.get(layer)?.clone();
        Some(if layer == 0 {
            self.ln_pre.forward(prompt)
        } else {
            prompt
        })
    }
}

/// Images of `tokens` tokens each that keep these threads busy, 8 to 32.
fn images_of_pass(tokens: usize, threads: usize) -> usize {
    /// More take more memory and are not faster: measured with ViT-B/16 and passes of 4 to 32 images.
    const TOKENS_OF_A_THREAD: usize = 400;
    (TOKENS_OF_A_THREAD * threads)
        .div_ceil(tokens.max(1))
        .clamp(BLOCK, MOST_IMAGES)
}

/// Each image's tokens `[batch * length, width]` with the prompt tokens `[n_ctx, width]` after
/// them: `[batch * (length + n_ctx), width]`.
fn append_to_each(tokens: Tensor<2>, prompt: Tensor<2>, batch: usize) -> Tensor<2> {
    let [n_ctx, width] = prompt.dims();
    let length = tokens.dims()[0] / batch;
    let prompts = prompt.unsqueeze::<3>().expand([batch, n_ctx, width]); // [batch, n_ctx, width]
    let tokens = tokens.reshape([batch, length, width]); // [batch, length, width]
    Tensor::cat(vec![tokens, prompts], 1) // [batch, length + n_ctx, width]
        .reshape([batch * (length + n_ctx), width]) // [batch * (length + n_ctx), width]
}

/// The rows of all images, of which every output is needed; after the last block only that of each
/// class token.
fn needed_rows(batch: usize, length: usize, is_last: bool) -> Rows {
    let all = Layout::new(vec![length; batch], false);
    Rows::new(if is_last {
        all.with_outputs((0..batch).map(|image| image * length).collect())
    } else {
        all
    })
}
