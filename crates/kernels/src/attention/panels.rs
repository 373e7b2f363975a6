//! Keys, values or gradients of a sequence as the right operand of a product, packed for each call.

use crate::buffer::Buffer;
use crate::convert::widen;
use crate::element::Element;
use crate::instruction_set::InstructionSet;
use crate::tile::{PANEL, panel_width};

/// A right operand `[steps, columns]`, in panels `[steps / group][columns][group]` like a packed matrix.
pub(crate) struct Panels<E: Element> {
    values: Buffer<E>,
    /// Columns of a panel.
    width: usize,
    /// Steps, padded with zeros to a whole group.
    pub steps: usize,
}

impl<E: Element> Panels<E> {
    /// Zeros.
    pub fn new(set: InstructionSet, steps: usize, columns: usize) -> Self {
        let width = panel_width(set);
        let steps = steps.next_multiple_of(E::GROUP);
        Self {
            values: Buffer::zeros(steps * columns.next_multiple_of(width)),
            width,
            steps,
        }
    }

    /// Writes row `r` of the operand, `[columns]`.
    pub fn set_row(&mut self, r: usize, row: &[E]) {
        let width = self.width;
        let group = r / E::GROUP * E::GROUP;
        for (j, part) in row.chunks(width).enumerate() {
            let at = (j * self.steps + group) * width;
            let places = &mut self.values[at..at + width * E::GROUP];
            if E::GROUP == 1 {
                places[..part.len()].copy_from_slice(part);
            } else {
                let places = places.chunks_exact_mut(E::GROUP);
                for (place, value) in places.zip(part) {
                    place[r % E::GROUP] = *value;
                }
            }
        }
    }

    /// Writes the columns `from..to` of the operand, `[steps]` each; those of one panel together.
    pub fn set_columns<'b>(&mut self, from: usize, to: usize, column: impl Fn(usize) -> &'b [E])
    where
        E: 'b,
    {
        let width = self.width;
        let mut c = from;
        while c < to {
            let end = to.min(c / width * width + width);
            let mut columns = [&[][..]; PANEL];
            for (i, slot) in columns[..end - c].iter_mut().enumerate() {
                *slot = column(c + i);
            }
            let columns = &columns[..end - c];
            let steps = columns[0].len();
            let panel = self.steps * width;
            let panel = &mut self.values[c / width * panel..][..panel];
            let groups = panel.chunks_exact_mut(width * E::GROUP);
            for (g, group) in groups.enumerate() {
                let filled = E::GROUP.min(steps - (g * E::GROUP).min(steps));
                let places = group.chunks_exact_mut(E::GROUP).skip(c % width);
                if filled == E::GROUP {
                    for (place, column) in places.zip(columns) {
                        place.copy_from_slice(&column[g * E::GROUP..(g + 1) * E::GROUP]);
                    }
                } else {
                    for (place, column) in places.zip(columns) {
                        place[..filled].copy_from_slice(&column[g * E::GROUP..][..filled]);
                    }
                }
            }
            c = end;
        }
    }

    /// The panel that begins at this column.
    pub fn panel(&self, column: usize) -> &[E] {
        let len = self.steps * self.width;
        &self.values[column / self.width * len..][..len]
    }
}

impl Panels<f32> {
    /// Writes row `r` of the operand, `[columns]`, converted exactly.
    pub fn set_widened<E: Element>(&mut self, set: InstructionSet, r: usize, row: &[E]) {
        for (j, part) in row.chunks(self.width).enumerate() {
            let at = (j * self.steps + r) * self.width;
            widen(set, part, 1.0, &mut self.values[at..at + part.len()]);
        }
    }
}
