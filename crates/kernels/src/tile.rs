//! The size of a microkernel's tile and the memory layout of its left operand.

use std::ops::Range;

use crate::instruction_set::InstructionSet;

/// Most columns of a panel.
pub(crate) const PANEL: usize = 32;

/// Columns of a panel, and of a tile: two vectors on x86-64.
pub(crate) fn panel_width(set: InstructionSet) -> usize {
    match set {
        InstructionSet::Portable | InstructionSet::Avx2 => PANEL / 2,
        InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => PANEL,
    }
}

/// Most rows of a tile; on AVX-512 exactly, elsewhere a tile has fewer.
pub(crate) const TILE: usize = 12;

/// So many rows as tiles of at most `most`, of nearly equal height: a small last one has too few
/// independent sums to hide the latency of each.
pub(crate) fn heights(rows: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let tiles = rows.div_ceil(most);
    (0..tiles).map(move |t| rows * t / tiles..rows * (t + 1) / tiles)
}

/// How the left operand lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Row `r`, step `p` at `r * stride + p`.
    RowMajor,
    /// The transpose: row `r`, step `p` at `p * stride + r`.
    ColumnMajor,
}

/// The left operand of a tile, `[rows, steps]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a, E> {
    pub values: &'a [E],
    pub stride: usize,
    pub order: Order,
}

impl<E> Left<'_, E> {
    /// How far apart two rows and two steps are.
    pub fn strides(&self) -> (usize, usize) {
        match self.order {
            Order::RowMajor => (self.stride, 1),
            Order::ColumnMajor => (1, self.stride),
        }
    }
}
