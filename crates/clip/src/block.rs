//! One residual attention block of a transformer, in steps, so that a tower can skip what nobody reads.
//!
//! A row can take part in a block in two ways: its keys and values are seen by others, and its own
//! output goes on. Prompt rows below the prompt depth need only the first, and in the last layer
//! only one row needs the second; so a block gives the parts instead of one `forward`.

use burn::tensor::Tensor;

use crate::attention::{KeyValue, split_heads};
use crate::layers::{LayerNorm, Linear, Reader, activate};
use crate::weights::{Activation, WeightError};

#[derive(Clone, Debug)]
pub(crate) struct Block {
    ln_1: LayerNorm,
    query: Linear,
    key_value: Linear,
    out_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    c_proj: Linear,
    heads: usize,
    activation: Activation,
}

/// What a block's shape is, apart from its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockShape {
    pub width: usize,
    pub heads: usize,
    pub activation: Activation,
    pub epsilon: f64,
}

impl Block {
    /// Reads the block `<name>` (OpenAI naming, e.g. `transformer.resblocks.3`).
    pub fn read(reader: &Reader, name: &str, shape: BlockShape) -> Result<Self, WeightError> {
        let (query, key_value) = reader.query_key_value(&format!("{name}.attn"), shape.width)?;
        Ok(Self {
            ln_1: reader.layer_norm(&format!("{name}.ln_1"), shape.epsilon)?,
            query,
            key_value,
            out_proj: reader.linear(&format!("{name}.attn.out_proj"))?,
            ln_2: reader.layer_norm(&format!("{name}.ln_2"), shape.epsilon)?,
            c_fc: reader.linear(&format!("{name}.mlp.c_fc"))?,
            c_proj: reader.linear(&format!("{name}.mlp.c_proj"))?,
            heads: shape.heads,
            activation: shape.activation,
        })
    }

    /// The block's input as its attention sees it, `[rows, width]`.
    pub fn normalise(&self, x: Tensor<2>) -> Tensor<2> {
        self.ln_1.forward(x)
    }

    /// Queries of normalised rows, `[sequences, heads, rows, head_dim]`.
    pub fn query(&self, normalised: Tensor<2>, sequences: usize) -> Tensor<4> {
        split_heads(self.query.forward(normalised), sequences, self.heads)
    }

    /// Keys and values of normalised rows before they are taken apart, `[rows, 2 * width]`.
    pub fn joint_key_value(&self, normalised: Tensor<2>) -> Tensor<2> {
        self.key_value.forward(normalised)
    }

    /// Takes [`joint_key_value`](Self::joint_key_value) apart.
    pub fn split_key_value(&self, joint: Tensor<2>, sequences: usize) -> KeyValue {
        KeyValue::new(joint, sequences, self.heads)
    }

    /// Keys and values of normalised rows.
    pub fn key_value(&self, normalised: Tensor<2>, sequences: usize) -> KeyValue {
        self.split_key_value(self.joint_key_value(normalised), sequences)
    }

    /// What goes on to the next block: the rows `x` with the attention's `mixed` values and the
    /// MLP added. Both `[rows, width]`.
    pub fn finish(&self, x: Tensor<2>, mixed: Tensor<2>) -> Tensor<2> {
        let x = x + self.out_proj.forward(mixed);
        let hidden = self.c_fc.forward(self.ln_2.forward(x.clone()));
        x + self.c_proj.forward(activate(self.activation, hidden))
    }
}
