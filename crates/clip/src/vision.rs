//! The image tower: a vision transformer with slots for prompt tokens, in its exact saving form.

use burn::tensor::{Tensor, TensorData};
use promptsrc_kernels::Layout;

use crate::block::{Block, BlockShape, Projected};
use crate::layers::{LayerNorm, Reader};
use crate::rows::Rows;
use crate::weights::{ClipConfig, WeightError};

/// CLIP's frozen image tower.
///
/// An image passes in two parts: [`stem`](Self::stem) is the half of the first layer that no
/// prompt touches, computed once and used by the frozen and the prompted pass alike;
/// [`features`](Self::features) is the rest.
#[derive(Clone, Debug)]
pub struct VisionTower {
    patch_embedding: Tensor<2>,
    class_embedding: Tensor<2>,
    positional_embedding: Tensor<2>,
    ln_pre: LayerNorm,
    blocks: Vec<Block>,
    ln_post: LayerNorm,
    projection: Tensor<2>,
    patch_size: usize,
    resolution: usize,
    width: usize,
}

/// What the first layer makes of images alone: class and patch tokens after `ln_pre`, and their
/// queries, keys and values in block 0. No learned value enters here.
#[derive(Clone, Debug)]
pub struct VisionStem {
    batch: usize,
    tokens: Tensor<2>,
    projected: Projected,
}

impl VisionStem {
    /// Number of images.
    pub fn batch(&self) -> usize {
        self.batch
    }
}

impl VisionTower {
    pub(crate) fn read(reader: &Reader, config: &ClipConfig) -> Result<Self, WeightError> {
        let ClipConfig {
            vision,
            activation,
            layer_norm_eps,
            ..
        } = config.clone();
        let shape = BlockShape {
            width: vision.width,
            heads: vision.heads,
            activation,
            epsilon: layer_norm_eps.into(),
        };
        let blocks = (0..vision.layers)
            .map(|l| Block::read(reader, &format!("visual.transformer.resblocks.{l}"), shape))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            patch_embedding: reader.matrix("visual.conv1.weight")?.transpose(),
            class_embedding: reader.vector("visual.class_embedding")?.unsqueeze(),
            positional_embedding: reader.matrix("visual.positional_embedding")?,
            ln_pre: reader.layer_norm("visual.ln_pre", shape.epsilon)?,
            blocks,
            ln_post: reader.layer_norm("visual.ln_post", shape.epsilon)?,
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

    /// Images as a tensor `[batch, 3, resolution, resolution]` on the tower's device, from the
    /// normalised values of one after another.
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
        let (size, side) = (self.patch_size, self.resolution / self.patch_size);
        // A convolution whose stride is its kernel's size is one product over cut-out patches.
        let patches = images
            .reshape([batch, 3, side, size, side, size])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([batch * side * side, 3 * size * size])
            .matmul(self.patch_embedding.clone())
            .reshape([batch, side * side, self.width]);
        let class = self
            .class_embedding
            .clone()
            .unsqueeze::<3>()
            .expand([batch, 1, self.width]);
        let tokens = Tensor::cat(vec![class, patches], 1)
            + self.positional_embedding.clone().unsqueeze::<3>();
        let rows = 1 + side * side;
        let tokens = self
            .ln_pre
            .forward(tokens.reshape([batch * rows, self.width]));
        VisionStem {
            batch,
            projected: self.blocks[0].project(tokens.clone()),
            tokens,
        }
    }

    /// Image features `[batch, embed_dim]`, not normalised.
    ///
    /// `prompts[l]` `[n_ctx, width]` enters at block `l`; prompt tokens stand after the patches.
    /// The first joins before `ln_pre` and gets no positional embedding; each further one takes
    /// the place of the prompt tokens just before its block, without a normalisation of its own.
    /// From the last given block on, the prompt tokens stay and are transformed like any other.
    /// Without prompts this is frozen CLIP. Prompts beyond the last block are not looked at.
    pub fn features(&self, stem: &VisionStem, prompts: &[Tensor<2>]) -> Tensor<2> {
        let batch = stem.batch;
        let last = self.blocks.len() - 1;
        let mut tokens = stem.tokens.clone();
        let mut given = Some(&stem.projected);
        let mut length = tokens.dims()[0] / batch;
        let mut rows = None;
        for (layer, block) in self.blocks.iter().enumerate() {
            let prompt = prompts.get(layer).map(|p| match layer {
                0 => self.ln_pre.forward(p.clone()),
                _ => p.clone(),
            });
            // The next block's prompts would overwrite what these rows become, so they are seen
            // and no more; where there is no next prompt each image's go their own way.
            let shared = match prompt {
                Some(prompt) if layer != last && layer + 1 >= prompts.len() => {
                    let [n_ctx, width] = prompt.dims();
                    let each = prompt.unsqueeze::<3>().expand([batch, n_ctx, width]);
                    let own = tokens.reshape([batch, length, width]);
                    length += n_ctx;
                    tokens = Tensor::cat(vec![own, each], 1).reshape([batch * length, width]);
                    (given, rows) = (None, None);
                    None
                }
                shared => shared,
            };
            if layer == last {
                // Only the class token is read after the last block.
                let class = (0..batch).map(|b| b * length).collect();
                rows = Some(Rows::new(
                    Layout::new(vec![length; batch], false).with_outputs(class),
                ));
            }
            let rows =
                rows.get_or_insert_with(|| Rows::new(Layout::new(vec![length; batch], false)));
            tokens = block.forward(tokens, shared, rows, None, given.take());
        }
        self.ln_post.forward(tokens).matmul(self.projection.clone())
    }
}
