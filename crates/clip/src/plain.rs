//! CLIP as it is defined: the function that is computed, without any saving.
//!
//! Every text is pushed through all positions, every row through every block, and prompts are
//! repeated for each sequence. Slow and simple: the towers ([`TextTower`](crate::TextTower),
//! [`VisionTower`](crate::VisionTower)) must agree with it, features and gradients alike. Tensors
//! go by their names in OpenAI's state dict.

use std::collections::BTreeMap;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Shape, Tensor, TensorData};

use crate::layers::activate;
use crate::text_input::Slot;
use crate::weights::{ClipConfig, ClipWeights, WeightError};

/// The two towers of a CLIP in their plain form, in f32.
#[derive(Clone, Debug)]
pub struct PlainClip {
    config: ClipConfig,
    /// By name: the values, flat, and the shape.
    tensors: BTreeMap<String, (Tensor<1>, Shape)>,
    device: Device,
}

impl PlainClip {
    /// Reads both towers from a weight file onto a device.
    ///
    /// # Errors
    /// Where the file changed since it was opened.
    pub fn new(weights: &ClipWeights, device: &Device) -> Result<Self, WeightError> {
        let config = weights.config().clone();
        let mut tensors = BTreeMap::new();
        for (name, shape) in config.tensors() {
            let values = weights.f32(&name)?;
            let length = values.len();
            let flat = Tensor::from_data(TensorData::new(values, [length]), device);
            tensors.insert(name, (flat, Shape::from(shape)));
        }
        Ok(Self {
            config,
            tensors,
            device: device.clone(),
        })
    }

    /// Text features `[texts, embed_dim]`, not normalised; what follows a text's end-of-text token
    /// does not matter.
    ///
    /// `prompts[l]` `[n_ctx, width]` takes rows 1..=n_ctx at block `l`.
    ///
    /// # Panics
    /// If a text has more tokens than the tower has positions, or a token outside the vocabulary.
    pub fn text_features(&self, tokens: &[Vec<u32>], prompts: &[Tensor<2>]) -> Tensor<2> {
        self.features_of(self.embedded(tokens), tokens, prompts)
    }

    /// As [`text_features`](Self::text_features), with rows of a context `[context_rows, width]` in
    /// place of tokens at the `slots` of each text.
    ///
    /// # Panics
    /// As [`text_features`](Self::text_features), and if a slot has no position or no row.
    pub fn text_features_placed(
        &self,
        tokens: &[Vec<u32>],
        slots: &[Vec<Slot>],
        context: &Tensor<2>,
    ) -> Tensor<2> {
        let x = self.embedded(tokens); // [texts, length, width]
        let [texts, length, width] = x.dims();
        let rows = slots.iter().enumerate().flat_map(|(text, slots)| {
            let x = &x;
            (0..length).map(move |position| {
                match slots.iter().find(|slot| slot.position == position) {
                    Some(slot) => context.clone().slice([slot.row..slot.row + 1, 0..width]),
                    None => x
                        .clone()
                        .slice([text..text + 1, position..position + 1, 0..width])
                        .reshape([1, width]),
                } // [1, width]
            })
        });
        let x = Tensor::cat(rows.collect(), 0) // [texts * length, width]
            .reshape([texts, length, width]); // [texts, length, width]
        self.features_of(x, tokens, &[])
    }

    /// Token embeddings `[texts, length, width]` of padded texts, without positions.
    fn embedded(&self, tokens: &[Vec<u32>]) -> Tensor<3> {
        let text = &self.config.text;
        let (texts, length, width) = (tokens.len(), text.context_length, text.width);
        let mut ids = Vec::new();
        for text in tokens {
            assert!(text.len() <= length, "a text of {} tokens", text.len());
            ids.extend(text.iter().map(|id| i64::from(*id)));
            ids.resize(ids.len() + length - text.len(), 0);
        }
        let ids = TensorData::new(ids, [texts * length]);
        let ids: Tensor<1, Int> = Tensor::from_data(ids, &self.device);
        self.get::<2>("token_embedding.weight") // [vocab_size, width]
            .select(0, ids) // [texts * length, width]
            .reshape([texts, length, width]) // [texts, length, width]
    }

    /// Features `[texts, embed_dim]` of embedded texts `[texts, length, width]`.
    fn features_of(
        &self,
        mut x: Tensor<3>,
        tokens: &[Vec<u32>],
        prompts: &[Tensor<2>],
    ) -> Tensor<2> {
        let text = &self.config.text;
        let [texts, length, width] = x.dims();
        for layer in 0..text.layers {
            if let Some(prompt) = prompts.get(layer) {
                let n_ctx = prompt.dims()[0];
                let start = x.clone().slice([0..texts, 0..1, 0..width]); // [texts, 1, width]
                let prompt = repeat(prompt, texts); // [texts, n_ctx, width]
                let rest = x.slice([0..texts, 1 + n_ctx..length, 0..width]); // [texts, rest, width]
                x = Tensor::cat(vec![start, prompt, rest], 1); // [texts, length, width]
            }
            if layer == 0 {
                x = x + self.get::<2>("positional_embedding").unsqueeze::<3>();
            }
            let block = format!("transformer.resblocks.{layer}");
            x = self.block(x, &block, text.heads, true);
        }
        let x = self.layer_norm(x, "ln_final");
        let ends = tokens.iter().enumerate().map(|(text, tokens)| {
            let end = self.config.text.end_of_text.position(tokens);
            x.clone()
                .slice([text..text + 1, end..end + 1, 0..width]) // [1, 1, width]
                .reshape([1, width]) // [1, width]
        });
        Tensor::cat(ends.collect(), 0) // [texts, width]
            .matmul(self.get::<2>("text_projection")) // [texts, embed_dim]
    }

    /// Image features `[batch, embed_dim]`, not normalised, of normalised images
    /// `[batch, 3, resolution, resolution]`.
    ///
    /// `prompts[l]` `[n_ctx, width]` follows the patches at block `l`: the first joins before
    /// `ln_pre`, each further one takes the place of the prompt tokens before it.
    pub fn image_features(&self, images: Tensor<4>, prompts: &[Tensor<2>]) -> Tensor<2> {
        let vision = &self.config.vision;
        let (width, size, grid) = (vision.width, vision.patch_size, vision.grid());
        let [batch, ..] = images.dims();
        let kernel = self
            .get::<4>("visual.conv1.weight") // [width, 3, size, size]
            .reshape([width, 3 * size * size]); // [width, 3 * size * size]
        let patches = images
            .slice([0..batch, 0..3, 0..grid * size, 0..grid * size])
            .reshape([batch, 3, grid, size, grid, size]) // [batch, 3, grid, size, grid, size]
            .permute([0, 2, 4, 1, 3, 5]) // [batch, grid, grid, 3, size, size]
            .reshape([batch, grid * grid, 3 * size * size]) // [batch, patches, 3 * size * size]
            .matmul(kernel.transpose().unsqueeze()); // [batch, patches, width]
        let class = self
            .get::<1>("visual.class_embedding")
            .unsqueeze::<3>() // [1, 1, width]
            .expand([batch, 1, width]); // [batch, 1, width]
        let mut x = Tensor::cat(vec![class, patches], 1) // [batch, 1 + patches, width]
            + self
                .get::<2>("visual.positional_embedding")
                .unsqueeze::<3>();
        if let Some(prompt) = prompts.first() {
            // [batch, 1 + patches + n_ctx, width]
            x = Tensor::cat(vec![x, repeat(prompt, batch)], 1);
        }
        x = self.layer_norm(x, "visual.ln_pre");
        for layer in 0..vision.layers {
            if let Some(prompt) = prompts.get(layer).filter(|_| layer > 0) {
                // [batch, 1 + patches, width]
                let image = x.slice([0..batch, 0..vision.tokens(), 0..width]);
                // [batch, 1 + patches + n_ctx, width]
                x = Tensor::cat(vec![image, repeat(prompt, batch)], 1);
            }
            let block = format!("visual.transformer.resblocks.{layer}");
            x = self.block(x, &block, vision.heads, false);
        }
        let class = x.slice([0..batch, 0..1, 0..width]); // [batch, 1, width]
        self.layer_norm(class, "visual.ln_post")
            .reshape([batch, width]) // [batch, width]
            .matmul(self.get::<2>("visual.proj")) // [batch, embed_dim]
    }

    /// A residual attention block: `[n, length, width]` -> `[n, length, width]`.
    fn block(&self, x: Tensor<3>, name: &str, heads: usize, causal: bool) -> Tensor<3> {
        let h = self.layer_norm(x.clone(), &format!("{name}.ln_1"));
        let x = x + self.attention(h, &format!("{name}.attn"), heads, causal);
        let h = self.layer_norm(x.clone(), &format!("{name}.ln_2"));
        x + self.mlp(h, &format!("{name}.mlp"))
    }

    /// Multi-head self-attention: `[n, length, width]` -> `[n, length, width]`.
    fn attention(&self, x: Tensor<3>, name: &str, heads: usize, causal: bool) -> Tensor<3> {
        let [n, length, width] = x.dims();
        let head_dim = width / heads;
        let qkv = self.linear(x, &format!("{name}.in_proj_")); // [n, length, 3 * width]
        let part = |i: usize| {
            qkv.clone()
                .slice([0..n, 0..length, i * width..(i + 1) * width]) // [n, length, width]
                .reshape([n, length, heads, head_dim]) // [n, length, heads, head_dim]
                .swap_dims(1, 2) // [n, heads, length, head_dim]
        };
        let (query, key, value) = (part(0), part(1), part(2));
        let scale = 1.0 / (head_dim as f64).sqrt();
        let mut scores = query.matmul(key.swap_dims(2, 3)) * scale; // [n, heads, length, length]
        if causal {
            scores = scores + self.causal_mask(length);
        }
        let mixed = softmax(scores, 3)
            .matmul(value) // [n, heads, length, head_dim]
            .swap_dims(1, 2) // [n, length, heads, head_dim]
            .reshape([n, length, width]); // [n, length, width]
        self.linear(mixed, &format!("{name}.out_proj.")) // [n, length, width]
    }

    /// `[1, 1, length, length]`: hides from each row the rows after it.
    fn causal_mask(&self, length: usize) -> Tensor<4> {
        let mut mask = vec![0.0f32; length * length];
        for row in 0..length {
            mask[row * length + row + 1..(row + 1) * length].fill(f32::NEG_INFINITY);
        }
        Tensor::from_data(TensorData::new(mask, [1, 1, length, length]), &self.device)
    }

    /// `[n, length, width]` -> `[n, length, width]`.
    fn mlp(&self, x: Tensor<3>, name: &str) -> Tensor<3> {
        let h = self.linear(x, &format!("{name}.c_fc.")); // [n, length, mlp_width]
        let h = activate(self.config.activation, h);
        self.linear(h, &format!("{name}.c_proj.")) // [n, length, width]
    }

    /// The linear layer `<name>weight`, `<name>bias`: `[n, length, inputs]` ->
    /// `[n, length, outputs]`.
    fn linear(&self, x: Tensor<3>, name: &str) -> Tensor<3> {
        let weight = self.get::<2>(&format!("{name}weight")); // [outputs, inputs]
        let bias = self.get::<1>(&format!("{name}bias")).unsqueeze(); // [1, 1, outputs]
        x.matmul(weight.transpose().unsqueeze()) + bias // [n, length, outputs]
    }

    /// Layer normalisation over the last axis: `[n, length, width]` -> `[n, length, width]`.
    fn layer_norm(&self, x: Tensor<3>, name: &str) -> Tensor<3> {
        let mean = x.clone().mean_dim(2); // [n, length, 1]
        let centred = x - mean;
        let variance = centred.clone().powi_scalar(2).mean_dim(2); // [n, length, 1]
        let weight = self.get::<1>(&format!("{name}.weight")).unsqueeze();
        let bias = self.get::<1>(&format!("{name}.bias")).unsqueeze();
        centred / (variance + self.config.layer_norm_eps).sqrt() * weight + bias
    }

    /// A tensor by its name in OpenAI's state dict.
    fn get<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (flat, shape) = &self.tensors[name];
        flat.clone().reshape(shape.clone())
    }
}

/// `[n_ctx, width]` -> `[n, n_ctx, width]`.
fn repeat(prompt: &Tensor<2>, n: usize) -> Tensor<3> {
    let [n_ctx, width] = prompt.dims();
    prompt.clone().unsqueeze::<3>().expand([n, n_ctx, width])
}
