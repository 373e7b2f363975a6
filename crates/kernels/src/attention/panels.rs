//! Keys, values or gradients of a sequence as the right operand of a product, packed for each call.

use crate::buffer::Buffer;
use crate::convert::widen;
use crate::element::Element;
use crate::instruction_set::InstructionSet;
use crate::tile::PANEL;

/// A right operand `[steps, columns]`, in panels of 32 columns `[steps / group][32][group]` like a
/// packed matrix.
pub(crate) struct Panels<E: Element> {
    values: Buffer<E>,
    /// Steps, padded with zeros to a whole group.
    pub steps: usize,
}

impl<E: Element> Panels<E> {
    /// Zeros.
    pub fn new(steps: usize, columns: usize) -> Self {
        let steps = steps.next_multiple_of(E::GROUP);
        Self {
            values: Buffer::zeros(steps * columns.next_multiple_of(PANEL)),
            steps,
        }
    }

    /// Writes row `r` of the operand, `[columns]`.
    pub fn set_row(&mut self, r: usize, row: &[E]) {
        let group = r / E::GROUP * E::GROUP;
        for (j, part) in row.chunks(PANEL).enumerate() {
            let at = (j * self.steps + group) * PANEL;
            let places = &mut self.values[at..at + PANEL * E::GROUP];
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
        let mut c = from;
        while c < to {
            let end = to.min(c / PANEL * PANEL + PANEL);
            let mut columns = [&[][..]; PANEL];
            for (i, slot) in columns[..end - c].iter_mut().enumerate() {
                *slot = column(c + i);
            }
            let columns = &columns[..end - c];
            let steps = columns[0].len();
            let panel = self.steps * PANEL;
            let panel = &mut self.values[c / PANEL * panel..][..panel];
            let groups = panel.chunks_exact_mut(PANEL * E::GROUP);
            for (g, group) in groups.enumerate() {
                let width = E::GROUP.min(steps - (g * E::GROUP).min(steps));
                let places = group.chunks_exact_mut(E::GROUP).skip(c % PANEL);
                if width == E::GROUP {
                    for (place, column) in places.zip(columns) {
                        place.copy_from_slice(&column[g * E::GROUP..(g + 1) * E::GROUP]);
                    }
                } else {
                    for (place, column) in places.zip(columns) {
                        place[..width].copy_from_slice(&column[g * E::GROUP..][..width]);
                    }
                }
            }
            c = end;
        }
    }

    /// The 32 columns of panel `j`.
    pub fn panel(&self, j: usize) -> &[E] {
        &self.values[j * self.steps * PANEL..(j + 1) * self.steps * PANEL]
    }
}

impl Panels<f32> {
    /// Writes row `r` of the operand, `[columns]`, converted exactly.
    pub fn set_widened<E: Element>(&mut self, set: InstructionSet, r: usize, row: &[E]) {
        for (j, part) in row.chunks(PANEL).enumerate() {
            let at = (j * self.steps + r) * PANEL;
            widen(set, part, 1.0, &mut self.values[at..at + part.len()]);
        }
    }
}
