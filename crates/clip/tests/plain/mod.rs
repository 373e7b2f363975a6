//! CLIP in its plain form, as the reference computes it: every text at all positions, every row in
//! every layer, prompts repeated for every sequence. Slow and simple; the towers must agree with it.

use std::collections::BTreeMap;

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use promptsrc_clip::ClipWeights;

pub struct PlainClip {
    tensors: BTreeMap<String, (Vec<f32>, Vec<usize>)>,
    device: Device,
    vision_layers: usize,
    text_layers: usize,
    context: usize,
}

impl PlainClip {
    pub fn new(weights: &ClipWeights, device: &Device) -> Self {
        let tensors = weights
            .names()
            .map(|n| {
                let shape = weights.shape(n).expect("a listed tensor").to_vec();
                (
                    n.to_string(),
                    (weights.f32(n).expect("a readable tensor"), shape),
                )
            })
            .collect();
        let config = weights.config();
        Self {
            tensors,
            device: device.clone(),
            vision_layers: config.vision.layers,
            text_layers: config.text.layers,
            context: config.text.context_length,
        }
    }

    fn get<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (values, shape) = &self.tensors[name];
        Tensor::from_data(TensorData::new(values.clone(), shape.clone()), &self.device)
    }

    fn vector(&self, name: &str) -> Tensor<3> {
        self.get::<1>(name).unsqueeze()
    }

    fn layer_norm(&self, x: Tensor<3>, name: &str) -> Tensor<3> {
        let mean = x.clone().mean_dim(2);
        let centred = x - mean;
        let variance = centred.clone().powi_scalar(2).mean_dim(2);
        centred / (variance + 1e-5).sqrt() * self.vector(&format!("{name}.weight"))
            + self.vector(&format!("{name}.bias"))
    }

    fn linear(&self, x: Tensor<3>, weight: &str, bias: &str) -> Tensor<3> {
        let weight: Tensor<2> = self.get(weight);
        x.matmul(weight.transpose().unsqueeze()) + self.vector(bias)
    }

    fn block(&self, x: Tensor<3>, name: &str, causal: bool) -> Tensor<3> {
        let [n, t, width] = x.dims();
        let heads = width / 64;
        let h = self.layer_norm(x.clone(), &format!("{name}.ln_1"));
        let joint = self.linear(
            h,
            &format!("{name}.attn.in_proj_weight"),
            &format!("{name}.attn.in_proj_bias"),
        );
        let part = |i: usize| {
            joint
                .clone()
                .slice([0..n, 0..t, i * width..(i + 1) * width])
                .reshape([n, t, heads, 64])
                .swap_dims(1, 2)
        };
        let (q, k, v) = (part(0), part(1), part(2));
        let mut scores = q.matmul(k.swap_dims(2, 3)) / 8.0;
        if causal {
            let mut future = vec![0.0f32; t * t];
            for row in 0..t {
                future[row * t + row + 1..(row + 1) * t].fill(f32::NEG_INFINITY);
            }
            scores =
                scores + Tensor::from_data(TensorData::new(future, [1, 1, t, t]), &self.device);
        }
        let mixed = softmax(scores, 3)
            .matmul(v)
            .swap_dims(1, 2)
            .reshape([n, t, width]);
        let x = x + self.linear(
            mixed,
            &format!("{name}.attn.out_proj.weight"),
            &format!("{name}.attn.out_proj.bias"),
        );
        let h = self.layer_norm(x.clone(), &format!("{name}.ln_2"));
        let h = self.linear(
            h,
            &format!("{name}.mlp.c_fc.weight"),
            &format!("{name}.mlp.c_fc.bias"),
        );
        let h = h.clone() * sigmoid(h * 1.702);
        x + self.linear(
            h,
            &format!("{name}.mlp.c_proj.weight"),
            &format!("{name}.mlp.c_proj.bias"),
        )
    }

    /// `[texts, embed_dim]`; `tokens` may hold anything after the end-of-text token.
    pub fn text_features(&self, tokens: &[Vec<u32>], prompts: &[Tensor<2>]) -> Tensor<2> {
        let n = tokens.len();
        let mut ids = Vec::new();
        let mut ends = Vec::new();
        for text in tokens {
            let greatest = *text.iter().max().expect("a token");
            ends.push(
                text.iter()
                    .position(|id| *id == greatest)
                    .expect("it is there") as i64,
            );
            ids.extend(text.iter().map(|id| i64::from(*id)));
            ids.resize(ids.len() + self.context - text.len(), 0);
        }
        let ids: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(ids, [n * self.context]), &self.device);
        let embedding: Tensor<2> = self.get("token_embedding.weight");
        let width = embedding.dims()[1];
        let mut x = embedding.select(0, ids).reshape([n, self.context, width]);
        for layer in 0..self.text_layers {
            if let Some(prompt) = prompts.get(layer) {
                let n_ctx = prompt.dims()[0];
                x = Tensor::cat(
                    vec![
                        x.clone().slice([0..n, 0..1, 0..width]),
                        prompt.clone().unsqueeze::<3>().expand([n, n_ctx, width]),
                        x.slice([0..n, 1 + n_ctx..self.context, 0..width]),
                    ],
                    1,
                );
            }
            if layer == 0 {
                x = x + self.get::<2>("positional_embedding").unsqueeze::<3>();
            }
            x = self.block(x, &format!("transformer.resblocks.{layer}"), true);
        }
        let x = self.layer_norm(x, "ln_final");
        let rows: Vec<Tensor<2>> = ends
            .iter()
            .enumerate()
            .map(|(i, end)| {
                let end = *end as usize;
                x.clone()
                    .slice([i..i + 1, end..end + 1, 0..width])
                    .reshape([1, width])
            })
            .collect();
        Tensor::cat(rows, 0).matmul(self.get::<2>("text_projection"))
    }

    /// `[batch, embed_dim]` of `[batch, 3, resolution, resolution]`.
    pub fn image_features(&self, images: Tensor<4>, prompts: &[Tensor<2>]) -> Tensor<2> {
        let (_, shape) = &self.tensors["visual.conv1.weight"];
        let (width, size) = (shape[0], shape[2]);
        let [n, _, side, _] = images.dims();
        let g = side / size;
        let kernel = self
            .get::<4>("visual.conv1.weight")
            .reshape([width, 3 * size * size]);
        let x = images
            .reshape([n, 3, g, size, g, size])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([n, g * g, 3 * size * size])
            .matmul(kernel.transpose().unsqueeze());
        let class = self.vector("visual.class_embedding").expand([n, 1, width]);
        let mut x = Tensor::cat(vec![class, x], 1)
            + self
                .get::<2>("visual.positional_embedding")
                .unsqueeze::<3>();
        let fixed = 1 + g * g;
        let each = |p: &Tensor<2>| {
            let n_ctx = p.dims()[0];
            p.clone().unsqueeze::<3>().expand([n, n_ctx, width])
        };
        if let Some(prompt) = prompts.first() {
            x = Tensor::cat(vec![x, each(prompt)], 1);
        }
        x = self.layer_norm(x, "visual.ln_pre");
        for layer in 0..self.vision_layers {
            if let Some(prompt) = prompts.get(layer).filter(|_| layer > 0) {
                x = Tensor::cat(vec![x.slice([0..n, 0..fixed, 0..width]), each(prompt)], 1);
            }
            x = self.block(x, &format!("visual.transformer.resblocks.{layer}"), false);
        }
        self.layer_norm(x.slice([0..n, 0..1, 0..width]), "visual.ln_post")
            .reshape([n, width])
            .matmul(self.get::<2>("visual.proj"))
    }
}
