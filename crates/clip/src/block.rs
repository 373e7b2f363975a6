//! A residual attention block of a transformer, in one of two forms of the same function: the
//! kernels for frozen weights, or plain tensor operations.
//!
//! A row can take part in a block in two ways: other rows see its key and value, and its own
//! output is read. Prompt rows below the prompt depth need only the first, and in the last block
//! only one row of each sequence needs the second; the [`Rows`] and the shared rows of a call say
//! which.

use std::fmt::Debug;

use burn::tensor::Tensor;
use promptsrc_kernels::{self as kernels, Activation, BlockShape, FrozenBlock, Precision};

use crate::attention::{KeyValue, attend, split_heads};
use crate::layers::{LayerNorm, Linear, activate};
use crate::reader::Reader;
use crate::rows::{Rows, selected};
use crate::tensors::values;
use crate::weights::WeightError;

/// A residual attention block: `x + attention(ln_1(x))`, then `x + mlp(ln_2(x))`.
pub(crate) trait Block {
    /// Queries, keys and values of rows, computed ahead of a call.
    type Projected;

    /// Queries, keys and values of rows `[rows, width]`.
    fn project(&self, rows: Tensor<2>) -> Self::Projected;

    /// Outputs `[output rows, width]` of the sequences' `own` rows `[rows, width]`, each of which
    /// sees its own sequence and, before it, the `shared` rows `[shared, width]`.
    ///
    /// Every sequence sees the `constant` rows as well, before the shared ones. `given` is the
    /// projection of the own rows, where it has been computed before.
    fn forward(
        &self,
        own: Tensor<2>,
        shared: Option<Tensor<2>>,
        rows: &Rows,
        constant: Option<&Self::Projected>,
        given: Option<&Self::Projected>,
    ) -> Tensor<2>;
}

/// A value of a type that depends on the form of a tower's blocks.
#[derive(Clone, Debug)]
pub(crate) enum Form<F, P> {
    /// The kernels for frozen weights, on the CPU.
    Frozen(F),
    /// Plain tensor operations, on any device; the weights may be learned.
    Plain(P),
}

impl<F, P> Form<F, P> {
    /// The value, if the form is the kernels'.
    pub fn frozen(&self) -> Option<&F> {
        match self {
            Self::Frozen(value) => Some(value),
            Self::Plain(_) => None,
        }
    }

    /// The value, if the form is plain tensor operations.
    pub fn plain(&self) -> Option<&P> {
        match self {
            Self::Frozen(_) => None,
            Self::Plain(value) => Some(value),
        }
    }
}

/// The blocks of a tower, first to last, all in one form.
pub(crate) type Blocks = Form<Vec<FrozenBlock>, Vec<PlainBlock>>;

/// Projections of rows in one block.
pub(crate) type Projected = Form<kernels::Projected, PlainProjected>;

impl Blocks {
    /// Reads the blocks `<name>.0`, `<name>.1`, ...; with a precision they are the kernels'.
    pub fn read(
        reader: &Reader,
        name: &str,
        layers: usize,
        shape: BlockShape,
        frozen: Option<Precision>,
    ) -> Result<Self, WeightError> {
        let names = (0..layers).map(|layer| format!("{name}.{layer}"));
        Ok(match frozen {
            Some(precision) => Self::Frozen(
                names
                    .map(|name| reader.frozen_block(&name, shape, precision))
                    .collect::<Result<_, _>>()?,
            ),
            None => Self::Plain(
                names
                    .map(|name| PlainBlock::read(reader, &name, shape))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        match self {
            Self::Frozen(blocks) => blocks.len(),
            Self::Plain(blocks) => blocks.len(),
        }
    }

    /// Queries, keys and values of rows `[rows, width]` in the first block.
    pub fn project_first(&self, rows: Tensor<2>) -> Projected {
        match self {
            Self::Frozen(blocks) => Form::Frozen(Block::project(&blocks[0], rows)),
            Self::Plain(blocks) => Form::Plain(blocks[0].project(rows)),
        }
    }
}

impl Block for FrozenBlock {
    type Projected = kernels::Projected;

    fn project(&self, rows: Tensor<2>) -> kernels::Projected {
        FrozenBlock::project(self, &values(rows))
    }

    fn forward(
        &self,
        own: Tensor<2>,
        shared: Option<Tensor<2>>,
        rows: &Rows,
        constant: Option<&kernels::Projected>,
        given: Option<&kernels::Projected>,
    ) -> Tensor<2> {
        FrozenBlock::forward(self, own, shared, &rows.layout, constant, given)
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

/// Projections of rows in a [`PlainBlock`].
#[derive(Clone, Debug)]
pub(crate) struct PlainProjected {
    /// `[rows, width]`.
    query: Tensor<2>,
    /// `[rows, 2 * width]`, keys in the first half.
    key_value: Tensor<2>,
}

impl PlainBlock {
    /// Reads the block `<name>` (`transformer.resblocks.3`).
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

    /// Keys and values `[constant + shared, 2 * width]` of the rows that every sequence sees:
    /// `constant` rows, projected before, and `shared` rows `[shared, width]`.
    fn project_shared(
        &self,
        constant: Option<&PlainProjected>,
        shared: Option<Tensor<2>>,
    ) -> Option<Tensor<2>> {
        let constant = constant.map(|rows| rows.key_value.clone()); // [constant, 2 * width]
        // [shared, 2 * width]
        let shared = shared.map(|rows| self.key_value.forward(self.ln_1.forward(rows)));
        match (constant, shared) {
            // [constant + shared, 2 * width]
            (Some(constant), Some(shared)) => Some(Tensor::cat(vec![constant, shared], 0)),
            (constant, shared) => constant.or(shared),
        }
    }
}

impl Block for PlainBlock {
    type Projected = PlainProjected;

    fn project(&self, rows: Tensor<2>) -> PlainProjected {
        let normalised = self.ln_1.forward(rows);
        PlainProjected {
            query: self.query.forward(normalised.clone()), // [rows, width]
            key_value: self.key_value.forward(normalised), // [rows, 2 * width]
        }
    }

    fn forward(
        &self,
        own: Tensor<2>,
        shared: Option<Tensor<2>>,
        rows: &Rows,
        constant: Option<&PlainProjected>,
        given: Option<&PlainProjected>,
    ) -> Tensor<2> {
        let padding = rows.padding(&own.device());
        let (sequences, heads) = (rows.layout.sequences(), self.heads);
        let (query, key_value) = match given {
            Some(PlainProjected { query, key_value }) => (
                selected(query.clone(), padding.outputs.as_ref()), // [outputs, width]
                key_value.clone(),                                 // [rows, 2 * width]
            ),
            None => {
                let normalised = self.ln_1.forward(own.clone());
                let output = selected(normalised.clone(), padding.outputs.as_ref()); // [outputs, width]
                (
                    self.query.forward(output),         // [outputs, width]
                    self.key_value.forward(normalised), // [rows, 2 * width]
                )
            }
        };
        let shared = self.project_shared(constant, shared);

        // [sequences * most outputs, width], [sequences * longest, 2 * width]
        let query = selected(query, padding.queries.as_ref());
        let key_value = selected(key_value, padding.own.as_ref());
        let mixed = attend(
            split_heads(query, sequences, heads), // [sequences, heads, most outputs, head_dim]
            &KeyValue::new(key_value, sequences, heads),
            shared.map(|s| KeyValue::new(s, 1, heads)).as_ref(),
            padding.mask.clone(),
        ); // [sequences * most outputs, width]
        let mixed = selected(mixed, padding.unpad.as_ref()); // [outputs, width]

        let own = selected(own, padding.outputs.as_ref()); // [outputs, width]
        let x = own + self.out_proj.forward(mixed); // [outputs, width]
        let hidden = self.c_fc.forward(self.ln_2.forward(x.clone())); // [outputs, mlp_width]
        x + self.c_proj.forward(activate(self.activation, hidden)) // [outputs, width]
    }
}
