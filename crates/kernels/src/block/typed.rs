//! A block's weights in one number format.

use crate::instruction_set::InstructionSet;
use crate::microkernel::Microkernel;
use crate::product::padded;

use super::linear::Linear;
use super::shape::{BlockShape, BlockWeights};

/// A block in the number format `E`.
pub(crate) struct Block<E> {
    pub set: InstructionSet,
    pub shape: BlockShape,
    /// The first layer normalisation is folded into it, as into the next.
    pub query: Linear<E>,
    /// Keys and values side by side, `[width, 2 * width]`.
    pub key_value: Linear<E>,
    pub out_proj: Linear<E>,
    /// The second layer normalisation is folded into it.
    pub c_fc: Linear<E>,
    pub c_proj: Linear<E>,
}

impl<E: Microkernel> Block<E> {
    /// Packs the weights.
    ///
    /// # Panics
    /// If a weight's length does not match the shape.
    pub fn new(set: InstructionSet, shape: BlockShape, weights: BlockWeights) -> Self {
        let BlockShape { width, hidden, .. } = shape;
        let [in_weight, in_bias] = weights.in_proj;
        assert!(width > 0 && hidden > 0 && shape.heads > 0);
        assert!(width.is_multiple_of(shape.heads), "width and heads");
        assert_eq!(in_bias.len(), 3 * width, "bias of queries, keys and values");
        assert_eq!(in_weight.len(), 3 * width * width, "their weight");
        let ln_1 = Some(weights.ln_1);
        let (query_weight, key_value_weight) = in_weight.split_at(width * width);
        let (query_bias, key_value_bias) = in_bias.split_at(width);
        let block = Self {
            set,
            shape,
            query: Linear::new(set, [query_weight, query_bias], width, ln_1),
            key_value: Linear::new(set, [key_value_weight, key_value_bias], width, ln_1),
            out_proj: Linear::new(set, weights.out_proj, width, None),
            c_fc: Linear::new(set, weights.c_fc, width, Some(weights.ln_2)),
            c_proj: Linear::new(set, weights.c_proj, hidden, None),
        };
        assert_eq!(block.out_proj.bias.len(), width, "bias after the attention");
        assert_eq!(block.c_fc.bias.len(), hidden, "bias inside the MLP");
        assert_eq!(block.c_proj.bias.len(), width, "bias after the MLP");
        block
    }

    /// Most rows that a thread takes at a time: about half a mebibyte of the MLP's hidden rows. On AVX2,
    /// whose microkernel uses each number of the weights less often, twice as many are faster although
    /// they leave the second-level cache (measured on Zen 3).
    pub fn most_rows(&self) -> usize {
        let bytes = self.shape.hidden * size_of::<E>();
        let together = match self.set {
            InstructionSet::Portable | InstructionSet::Avx2 => 1280 << 10,
            InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => 640 << 10,
        };
        (together / bytes).clamp(24, 120)
    }

    /// Stride of rows of `width` numbers that a product reads.
    pub fn stride(&self) -> usize {
        padded(self.shape.width)
    }

    /// Stride of rows of `2 * width` numbers that a product reads.
    pub fn double_stride(&self) -> usize {
        padded(2 * self.shape.width)
    }

    /// Stride of rows of `hidden` numbers that a product reads.
    pub fn hidden_stride(&self) -> usize {
        padded(self.shape.hidden)
    }
}
