//! The size of a microkernel's tile and the memory layout of its left operand.

/// Columns of a panel, and of a tile.
pub(crate) const PANEL: usize = 32;

/// Most rows of a tile.
pub(crate) const TILE: usize = 12;

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
