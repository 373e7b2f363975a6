//! A constant matrix, packed in the order in which the products read it.

use rayon::prelude::*;

use crate::element::Element;
use crate::instruction_set::InstructionSet;
use crate::tile::panel_width;

/// The right operand of many products, `[steps, columns]`, packed once: panels of 16 or 32 columns
/// (the last one filled up with zeros), and within one `[steps / group][columns][group]`, steps filled up with
/// zeros to a whole group.
#[derive(Clone, Debug)]
pub(crate) struct Packed<E> {
    /// Length of the summed axis.
    pub steps: usize,
    /// Number of columns.
    pub columns: usize,
    /// Columns of a panel.
    width: usize,
    values: Vec<E>,
}

/// Panels of a product's right operand that follow one another.
#[derive(Clone, Copy)]
pub(crate) enum Panels<'a, E> {
    /// As they are packed.
    Packed(&'a [E]),
    /// Of the transpose of a packed matrix, from this column on.
    Transposed {
        of: &'a Packed<E>,
        first_column: usize,
    },
}

/// The right operand of a product.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a, E> {
    Packed(&'a Packed<E>),
    /// The transpose of a packed matrix, brought into order while it is multiplied with.
    Transposed(&'a Packed<E>),
}

impl<'a, E: Element> Right<'a, E> {
    /// Length of the summed axis, filled up to a whole group.
    pub fn padded_steps(self) -> usize {
        match self {
            Self::Packed(matrix) => matrix.padded_steps(),
            Self::Transposed(of) => of.columns.next_multiple_of(E::GROUP),
        }
    }

    /// Number of columns.
    pub fn columns(self) -> usize {
        match self {
            Self::Packed(matrix) => matrix.columns,
            Self::Transposed(of) => of.steps,
        }
    }

    /// The panels that begin with the one that begins at this column.
    pub fn panels_from(self, column: usize) -> Panels<'a, E> {
        match self {
            Self::Packed(matrix) => Panels::Packed(matrix.panels_from(column)),
            Self::Transposed(of) => Panels::Transposed {
                of,
                first_column: column,
            },
        }
    }
}

impl<E: Element> Packed<E> {
    /// Packs the matrix whose element at (step, column) is `at(step, column)`, by all threads.
    pub fn new(
        set: InstructionSet,
        steps: usize,
        columns: usize,
        at: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Self {
        let mut packed = Self::zeros(panel_width(set), steps, columns);
        let (len, width) = (packed.panel_len().max(1), packed.width);
        packed
            .values
            .par_chunks_mut(len)
            .enumerate()
            .for_each(|(j, panel)| fill(j, panel, [width, steps, columns], &at));
        packed
    }

    fn zeros(width: usize, steps: usize, columns: usize) -> Self {
        let columns_of_panels = columns.next_multiple_of(width);
        Self {
            steps,
            columns,
            width,
            values: vec![E::default(); columns_of_panels * steps.next_multiple_of(E::GROUP)],
        }
    }

    /// Numbers of a panel.
    fn panel_len(&self) -> usize {
        self.padded_steps() * self.width
    }

    /// Steps as the panels have them: filled up to a whole group.
    pub fn padded_steps(&self) -> usize {
        self.steps.next_multiple_of(E::GROUP)
    }

    /// The panels that begin with the one that begins at this column.
    pub fn panels_from(&self, column: usize) -> &[E] {
        &self.values[column / self.width * self.panel_len()..]
    }

    /// The element at (step, column).
    pub fn at(&self, step: usize, column: usize) -> f32 {
        let width = self.width;
        let index = (column / width * self.padded_steps() + step / E::GROUP * E::GROUP) * width
            + column % width * E::GROUP
            + step % E::GROUP;
        self.values[index].to_f32()
    }

    /// Its transpose, packed: for the backward pass.
    ///
    /// By this thread alone. It is made on first use, within a task: if the work were divided among
    /// threads, this thread could meanwhile pick up another task that waits for the result, a
    /// deadlock.
    pub fn transposed(&self) -> Self {
        let mut packed = Self::zeros(self.width, self.columns, self.steps);
        let (len, width) = (packed.panel_len().max(1), packed.width);
        let (steps, columns) = (packed.steps, packed.columns);
        for (j, panel) in packed.values.chunks_mut(len).enumerate() {
            fill(j, panel, [width, steps, columns], &|p, c| self.at(c, p));
        }
        packed
    }
}

/// Fills panel `j` of a matrix with panels of `width` columns.
fn fill<E: Element>(
    j: usize,
    panel: &mut [E],
    [width, steps, columns]: [usize; 3],
    at: &impl Fn(usize, usize) -> f32,
) {
    let filled = width.min(columns - j * width);
    for (g, group) in panel.chunks_exact_mut(width * E::GROUP).enumerate() {
        for c in 0..filled {
            for i in 0..E::GROUP.min(steps - g * E::GROUP) {
                let value = at(g * E::GROUP + i, j * width + c);
                group[c * E::GROUP + i] = E::from_f32(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;

    fn check<E: Element>(set: InstructionSet, steps: usize, columns: usize) {
        let at = |p: usize, c: usize| (p * 101 + c) as f32 % 61.0;
        let packed = Packed::<E>::new(set, steps, columns, at);
        let transposed = packed.transposed();
        for p in 0..steps {
            for c in 0..columns {
                assert_eq!(packed.at(p, c), at(p, c), "{p}, {c}");
                assert_eq!(transposed.at(c, p), at(p, c), "{p}, {c} transposed");
            }
        }
    }

    #[test]
    fn keeps_every_element_in_place() {
        for (steps, columns) in [(1, 1), (7, 33), (64, 64), (65, 31), (2, 100)] {
            for set in InstructionSet::ALL {
                check::<f32>(set, steps, columns);
                check::<bf16>(set, steps, columns);
            }
        }
    }
}
