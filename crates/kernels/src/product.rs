//! Rows times a packed matrix, handed over one chunk of columns at a time.

use crate::buffer::Buffer;
use crate::instruction_set::InstructionSet;
use crate::microkernel::{Microkernel, panel};
use crate::packed::{Panels, Right};
use crate::tile::{Left, Order, PANEL, panel_width};

/// Columns that are computed before they are handed over. On AVX-512 few, so that their sums stay in the
/// first-level caches; on AVX2, where a block of arranged rows passes all of them in turn, twice as many,
/// so that it is read from beyond the second-level cache half as often.
fn chunk_columns(set: InstructionSet) -> usize {
    match set {
        InstructionSet::Portable | InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => 2 * PANEL,
        InstructionSet::Avx2 => 4 * PANEL,
    }
}

/// Sums of some columns of a product, `[rows, columns]`.
pub(crate) struct Chunk<'a> {
    pub first_column: usize,
    pub columns: usize,
    /// Row `r` begins at `r * stride`.
    pub values: &'a [f32],
    pub stride: usize,
}

/// Stride of rows that become the left operand of a product: whole groups of numbers, and not a
/// multiple of a page, which would make the rows of a tile compete for the same cache sets.
pub(crate) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(32) + 32
}

/// `left` `[rows, steps of right]` (row `r` at `r * stride`) times `right`; each chunk of columns goes to
/// `sink`, from left to right. Without rows there are no chunks. For `bf16` with an odd number of
/// steps, one number beyond each row is read and multiplied by zero.
pub(crate) fn product<E: Microkernel>(
    set: InstructionSet,
    rows: usize,
    left: &[E],
    stride: usize,
    right: Right<E>,
    mut sink: impl FnMut(Chunk),
) {
    if rows == 0 {
        return;
    }
    let steps = right.padded_steps();
    let arranged = E::arrange(set, rows, steps, left, stride);
    let left = Left {
        values: left,
        stride,
        order: Order::RowMajor,
    };
    let (width, chunk) = (panel_width(set), chunk_columns(set));
    let mut sums = Buffer::<f32>::unspecified(rows * chunk);
    for first_column in (0..right.columns()).step_by(chunk) {
        let columns = chunk.min(right.columns() - first_column);
        match (&arranged, right.panels_from(first_column)) {
            (Some(arranged), panels) => {
                let count = columns.div_ceil(width);
                E::arranged_panels(set, rows, steps, arranged, count, panels, &mut sums, chunk);
            }
            (None, Panels::Packed(panels)) => {
                for column in (0..columns).step_by(width) {
                    let (panels, sums) = (&panels[column * steps..], &mut sums[column..]);
                    panel(set, rows, steps, left, panels, sums, chunk);
                }
            }
            (None, Panels::Transposed { .. }) => unreachable!("a transpose is packed for {set}"),
        }
        sink(Chunk {
            first_column,
            columns,
            values: &sums,
            stride: chunk,
        });
    }
}
