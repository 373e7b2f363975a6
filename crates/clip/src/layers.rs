//! The layers of a block: linear, layer normalisation, activation.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, sigmoid};
use burn::tensor::module::{layer_norm, linear};
use promptsrc_kernels::Activation;

/// `x W + b`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    /// `[inputs, outputs]`.
    pub weight: Tensor<2>,
    /// `[outputs]`.
    pub bias: Tensor<1>,
}

impl Linear {
    /// `[rows, inputs]` -> `[rows, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.clone(), Some(self.bias.clone()))
    }
}

/// Layer normalisation over the last axis.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    /// `[width]`.
    pub weight: Tensor<1>,
    /// `[width]`.
    pub bias: Tensor<1>,
    pub epsilon: f64,
}

impl LayerNorm {
    /// `[rows, width]` -> `[rows, width]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(
            x,
            self.weight.clone(),
            Some(self.bias.clone()),
            self.epsilon,
        )
    }
}

/// The activation between the two linear layers of a block's MLP.
pub(crate) fn activate<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    match activation {
        Activation::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
        Activation::Gelu => gelu(x),
    }
}
