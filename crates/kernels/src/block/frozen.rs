//! The interface of a block: blocks, projections and calls in any number format.
//!
//! To add a format, add a variant to each enum here.

use std::fmt;
use std::sync::Arc;

use half::bf16;

use crate::instruction_set::InstructionSet;
use crate::layout::Layout;
use crate::microkernel::Microkernel;
use crate::precision::Precision;

use super::call::{Call, MOST_SAVED};
use super::saved::Projection;
use super::shape::{BlockShape, BlockWeights};
use super::typed::Block;

/// A frozen residual attention block: `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Clone)]
pub struct FrozenBlock(AnyBlock);

#[derive(Clone)]
enum AnyBlock {
    F32(Arc<Block<f32>>),
    Bf16(Arc<Block<bf16>>),
}

/// Queries, keys and values of rows that never change, computed once for many calls.
#[derive(Clone)]
pub struct Projected {
    rows: usize,
    values: AnyProjection,
}

#[derive(Clone)]
enum AnyProjection {
    F32(Projection<f32>),
    Bf16(Projection<bf16>),
}

/// One call of a block: everything that it is given apart from rows.
#[derive(Clone)]
pub struct BlockCall(AnyCall);

#[derive(Clone)]
enum AnyCall {
    F32(Call<f32>),
    Bf16(Call<bf16>),
}

/// The same expression for the content of every variant.
macro_rules! in_any_format {
    ($any:ident, $value:expr, $content:ident => $result:expr) => {
        match $value {
            $any::F32($content) => $result,
            $any::Bf16($content) => $result,
        }
    };
}

impl FrozenBlock {
    /// Packs a block's weights for this processor.
    ///
    /// # Panics
    /// If a weight's length does not match the shape, or this processor cannot compute in the
    /// precision (see [`Precision::check`]).
    pub fn new(shape: BlockShape, precision: Precision, weights: BlockWeights) -> Self {
        Self::with_instruction_set(InstructionSet::detected(), shape, precision, weights)
    }

    /// As [`new`](Self::new), with no instruction sets but those of `set`.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn with_instruction_set(
        set: InstructionSet,
        shape: BlockShape,
        precision: Precision,
        weights: BlockWeights,
    ) -> Self {
        // The kernels rely on it.
        assert!(
            set <= InstructionSet::of_processor(),
            "this processor does not have {set}"
        );
        Self(match precision {
            Precision::F32 => AnyBlock::F32(Arc::new(Block::new(set, shape, weights))),
            Precision::Bf16 => {
                assert!(set.has_bf16(), "bf16 without instructions for it");
                AnyBlock::Bf16(Arc::new(Block::new(set, shape, weights)))
            }
        })
    }

    /// Its shape.
    pub fn shape(&self) -> BlockShape {
        in_any_format!(AnyBlock, &self.0, block => block.shape)
    }

    /// The number format of its weights.
    pub fn precision(&self) -> Precision {
        match &self.0 {
            AnyBlock::F32(_) => Precision::F32,
            AnyBlock::Bf16(_) => Precision::Bf16,
        }
    }

    /// Queries, keys and values of rows `[rows, width]` that many calls will use.
    ///
    /// # Panics
    /// If the number of values is not a multiple of the width.
    pub fn project(&self, rows: &[f32]) -> Projected {
        let width = self.shape().width;
        assert!(rows.len().is_multiple_of(width));
        Projected {
            rows: rows.len() / width,
            values: match &self.0 {
                AnyBlock::F32(block) => AnyProjection::F32(block.project(rows)),
                AnyBlock::Bf16(block) => AnyProjection::Bf16(block.project(rows)),
            },
        }
    }
}

impl fmt::Debug for FrozenBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenBlock")
            .field("shape", &self.shape())
            .field("precision", &self.precision())
            .finish_non_exhaustive()
    }
}

impl Projected {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

impl fmt::Debug for Projected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projected")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl BlockCall {
    /// A call that saves nothing for a backward pass.
    ///
    /// # Panics
    /// If a projection was made by a block of another precision.
    pub fn new(
        block: &FrozenBlock,
        layout: &Arc<Layout>,
        constant: Option<&Projected>,
        own_projection: Option<&Projected>,
    ) -> Self {
        fn call<E: Microkernel>(
            block: &Arc<Block<E>>,
            layout: &Arc<Layout>,
            [constant, own_projection]: [Option<Projection<E>>; 2],
        ) -> Call<E> {
            Call {
                block: Arc::clone(block),
                layout: Arc::clone(layout),
                constant,
                own_projection,
                saved: None,
                most_saved: MOST_SAVED,
            }
        }
        let projections = [constant, own_projection];
        Self(match &block.0 {
            AnyBlock::F32(block) => {
                let projections = projections.map(|p| p.map(|p| p.values.f32().clone()));
                AnyCall::F32(call(block, layout, projections))
            }
            AnyBlock::Bf16(block) => {
                let projections = projections.map(|p| p.map(|p| p.values.bf16().clone()));
                AnyCall::Bf16(call(block, layout, projections))
            }
        })
    }

    /// The same call, saving the activations that its backward pass needs.
    pub fn saving(mut self) -> Self {
        in_any_format!(AnyCall, &mut self.0, call => call.saved = Some(Arc::default()));
        self
    }

    /// See [`Call::forward`].
    pub fn forward(&self, own: &[f32], shared: &[f32]) -> Vec<f32> {
        in_any_format!(AnyCall, &self.0, call => call.forward(own, shared))
    }

    /// See [`Call::backward`].
    pub fn backward(&self, gradient: &[f32], own_wanted: bool) -> (Vec<f32>, Vec<f32>) {
        in_any_format!(AnyCall, &self.0, call => call.backward(gradient, own_wanted))
    }

    /// Length of a row.
    pub fn width(&self) -> usize {
        in_any_format!(AnyCall, &self.0, call => call.block.shape.width)
    }

    /// Which rows attend to which.
    pub fn layout(&self) -> &Layout {
        in_any_format!(AnyCall, &self.0, call => &call.layout)
    }
}

impl fmt::Debug for BlockCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCall")
            .field("layout", self.layout())
            .finish_non_exhaustive()
    }
}

impl AnyProjection {
    fn f32(&self) -> &Projection<f32> {
        match self {
            Self::F32(projection) => projection,
            Self::Bf16(_) => other_precision(),
        }
    }

    fn bf16(&self) -> &Projection<bf16> {
        match self {
            Self::Bf16(projection) => projection,
            Self::F32(_) => other_precision(),
        }
    }
}

/// A mistake of the caller, like rows of another width.
fn other_precision() -> ! {
    panic!("projected rows of a block of another precision")
}
