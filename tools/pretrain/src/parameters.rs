//! The weights while they are trained: values by name, in OpenAI's naming and layout.

use std::collections::BTreeMap;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use promptsrc_clip::{ClipConfig, ClipModel, WeightError};
use promptsrc_datasets::Stream;

/// Values of all tensors by name, or their gradients or moments.
pub type Values = BTreeMap<String, Vec<f32>>;

/// Weights drawn as OpenAI draws them before training (`clip/model.py`, `initialize_parameters`).
pub fn initial(config: &ClipConfig, seed: u64) -> Values {
    let (vision, text) = (&config.vision, &config.text);
    let tensors = config.tensors().into_iter().enumerate();
    tensors
        .map(|(index, (name, shape))| {
            let n: usize = shape.iter().product();
            let tower = |v: usize, t: usize| if name.starts_with("visual") { v } else { t };
            let width = tower(vision.width, text.width) as f32;
            let layers = tower(vision.layers, text.layers) as f32;
            // The residual stream receives two contributions per block.
            let residual = width.powf(-0.5) * (2.0 * layers).powf(-0.5);
            let std = if name.ends_with("bias") {
                0.0
            } else if name == "logit_scale" {
                return (name, vec![(1.0_f32 / 0.07).ln()]);
            } else if name.contains("ln_") {
                return (name, vec![1.0; n]);
            } else if name.starts_with("token_embedding") {
                0.02
            } else if name == "positional_embedding" {
                0.01
            } else if name.ends_with("conv1.weight") {
                // PyTorch draws convolutions uniformly, with this standard deviation.
                (n as f32 / vision.width as f32).powf(-0.5) / 3.0_f32.sqrt()
            } else if name.ends_with("out_proj.weight") || name.ends_with("c_proj.weight") {
                residual
            } else if name.ends_with("c_fc.weight") {
                (2.0 * width).powf(-0.5)
            } else {
                // Attention's projections, class and positional embedding, output projections.
                width.powf(-0.5)
            };
            let mut random = Stream::new(seed, index as u64, 0);
            (name, (0..n).map(|_| std * normal(&mut random)).collect())
        })
        .collect()
}

/// A number of the standard normal distribution (Box and Muller).
fn normal(random: &mut Stream) -> f32 {
    let mut unit = || ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let radius = (-2.0 * unit().ln()).sqrt();
    (radius * (std::f64::consts::TAU * unit()).cos()) as f32
}

/// Weights on a device, as leaves of the autodiff graph.
pub struct Leaves(BTreeMap<String, Tensor<1>>);

impl Leaves {
    pub fn new(values: &Values, device: &Device) -> Self {
        let leaf = |values: &Vec<f32>| {
            let data = TensorData::new(values.clone(), [values.len()]);
            Tensor::from_data(data, device).autodiff().require_grad()
        };
        Self(values.iter().map(|(n, v)| (n.clone(), leaf(v))).collect())
    }

    /// The CLIP with these leaves as its weights.
    pub fn clip(&self, config: &ClipConfig, device: &Device) -> Result<ClipModel, WeightError> {
        ClipModel::from_tensors(config, device, &|name| self.0[name].clone())
    }

    /// Their gradients; zeros where the loss does not depend on one.
    pub fn gradients(&self, tape: &mut Gradients) -> Values {
        let mut gradient = |leaf: &Tensor<1>| match leaf.grad_remove(tape) {
            Some(gradient) => promptsrc_clip::values(gradient),
            None => vec![0.0; leaf.dims()[0]],
        };
        self.0
            .iter()
            .map(|(name, leaf)| (name.clone(), gradient(leaf)))
            .collect()
    }
}
