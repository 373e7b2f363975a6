//! The dimensions of a block and its weights as a weight file has them.

use crate::activation::Activation;

/// Dimensions and settings of a block: everything that its weights do not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockShape {
    /// Length of a row.
    pub width: usize,
    /// Attention heads; the width is a multiple of their number.
    pub heads: usize,
    /// Length of a row inside the MLP.
    pub hidden: usize,
    /// Between the MLP's two linear layers.
    pub activation: Activation,
    /// Added to the variance in layer normalisation.
    pub epsilon: f32,
}

/// A block's weights in PyTorch's layout: matrices are `[outputs, inputs]`.
#[derive(Clone, Copy, Debug)]
pub struct BlockWeights<'a> {
    /// First layer normalisation: weight and bias, `[width]` each.
    pub ln_1: [&'a [f32]; 2],
    /// Queries, keys and values: `[3 * width, width]` and `[3 * width]`.
    pub in_proj: [&'a [f32]; 2],
    /// After the attention: `[width, width]` and `[width]`.
    pub out_proj: [&'a [f32]; 2],
    /// Second layer normalisation: weight and bias, `[width]` each.
    pub ln_2: [&'a [f32]; 2],
    /// First layer of the MLP: `[hidden, width]` and `[hidden]`.
    pub c_fc: [&'a [f32]; 2],
    /// Second layer of the MLP: `[width, hidden]` and `[width]`.
    pub c_proj: [&'a [f32]; 2],
}
