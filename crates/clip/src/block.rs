//! One residual attention block of a transformer, by the kernels for frozen weights or by plain
//! tensor operations.
//!
//! A row can take part in a block in two ways: its keys and values are seen by others, and its own
//! output goes on. Prompt rows below the prompt depth need only the first, and in the last layer
//! only one row needs the second; the [`Rows`] and the shared rows of a call say which.

use burn::tensor::Tensor;
use promptsrc_kernels::{self as kernels, FrozenBlock};

use crate::attention::{KeyValue, attend, split_heads};
use crate::layers::{LayerNorm, Linear, Reader, activate};
use crate::rows::{Rows, picked};
use crate::weights::{Activation, WeightError};

/// A block in one of two forms of the same function.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// Frozen weights on the CPU.
    Frozen(FrozenBlock),
    /// Any device; weights that may be learned.
    Plain(Box<PlainBlock>),
}

/// What a block's shape is, apart from its weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockShape {
    pub width: usize,
    pub heads: usize,
    pub activation: Activation,
    pub epsilon: f64,
}

/// Queries, keys and values of rows, computed ahead of a call.
#[derive(Clone, Debug)]
pub(crate) enum Projected {
    Frozen(kernels::Projected),
    /// Queries `[rows, width]`; keys and values `[rows, 2 * width]`.
    Plain(Box<[Tensor<2>; 2]>),
}

impl Projected {
    fn frozen(&self) -> &kernels::Projected {
        match self {
            Self::Frozen(projected) => projected,
            Self::Plain(_) => unreachable!("all blocks of a tower have the same form"),
        }
    }

    fn plain(&self) -> (&Tensor<2>, &Tensor<2>) {
        match self {
            Self::Plain(projected) => {
                let [query, joint] = &**projected;
                (query, joint)
            }
            Self::Frozen(_) => unreachable!("all blocks of a tower have the same form"),
        }
    }
}

impl Block {
    /// Reads the block `<name>` (OpenAI naming, e.g. `transformer.resblocks.3`).
    pub fn read(reader: &Reader, name: &str, shape: BlockShape) -> Result<Self, WeightError> {
        Ok(match reader.frozen_block(name, shape)? {
            Some(block) => Self::Frozen(block),
            None => Self::Plain(Box::new(PlainBlock::read(reader, name, shape)?)),
        })
    }

    /// Queries, keys and values of rows `[rows, width]`.
    pub fn project(&self, rows: Tensor<2>) -> Projected {
        match self {
            Self::Frozen(block) => Projected::Frozen(block.project(&crate::values(rows))),
            Self::Plain(block) => {
                let normalised = block.ln_1.forward(rows);
                Projected::Plain(Box::new([
                    block.query.forward(normalised.clone()),
                    block.key_value.forward(normalised),
                ]))
            }
        }
    }

    /// What goes on to the next block: `[live rows, width]` from the sequences' `own` rows and rows
    /// `shared` that all of them see.
    ///
    /// `constant` rows are seen by all as well, before the shared ones. `given` is the projection
    /// of the own rows, where it has been computed before.
    pub fn forward(
        &self,
        own: Tensor<2>,
        shared: Option<Tensor<2>>,
        rows: &Rows,
        constant: Option<&Projected>,
        given: Option<&Projected>,
    ) -> Tensor<2> {
        match self {
            Self::Frozen(block) => block.forward(
                own,
                shared,
                &rows.layout,
                constant.map(Projected::frozen),
                given.map(Projected::frozen),
            ),
            Self::Plain(block) => block.forward(
                own,
                shared,
                rows,
                constant.map(|c| c.plain().1),
                given.map(Projected::plain),
            ),
        }
    }
}

/// A block of plain tensor operations.
#[derive(Clone, Debug)]
pub(crate) struct PlainBlock {
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

impl PlainBlock {
    fn read(reader: &Reader, name: &str, shape: BlockShape) -> Result<Self, WeightError> {
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

    fn forward(
        &self,
        own: Tensor<2>,
        shared: Option<Tensor<2>>,
        rows: &Rows,
        constant: Option<&Tensor<2>>,
        given: Option<(&Tensor<2>, &Tensor<2>)>,
    ) -> Tensor<2> {
        let padding = rows.padding(&own.device());
        let sequences = rows.layout.sequences();
        let (query, joint) = match given {
            Some((query, joint)) => (picked(query.clone(), padding.live.as_ref()), joint.clone()),
            None => {
                let normalised = self.ln_1.forward(own.clone());
                let asking = picked(normalised.clone(), padding.live.as_ref());
                (
                    self.query.forward(asking),
                    self.key_value.forward(normalised),
                )
            }
        };
        let shared = shared.map(|rows| self.key_value.forward(self.ln_1.forward(rows)));
        let shared = match (constant.cloned(), shared) {
            (Some(constant), Some(shared)) => Some(Tensor::cat(vec![constant, shared], 0)),
            (constant, shared) => constant.or(shared),
        };
        let mixed = attend(
            split_heads(
                picked(query, padding.queries.as_ref()),
                sequences,
                self.heads,
            ),
            &KeyValue::new(picked(joint, padding.own.as_ref()), sequences, self.heads),
            shared.map(|s| KeyValue::new(s, 1, self.heads)).as_ref(),
            padding.mask.clone(),
        );
        let mixed = picked(mixed, padding.back.as_ref());

        let x = picked(own, padding.live.as_ref()) + self.out_proj.forward(mixed);
        let hidden = self.c_fc.forward(self.ln_2.forward(x.clone()));
        x + self.c_proj.forward(activate(self.activation, hidden))
    }
}
