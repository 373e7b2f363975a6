//! A constant matrix in the order in which the products read it.

use rayon::prelude::*;

use crate::element::Element;
use crate::machine::Machine;
use crate::microkernel::PANEL;

/// The right operand of products, `[steps, columns]`, packed once.
#[derive(Clone, Debug)]
pub(crate) struct Packed<E> {
    /// Length of the summed axis.
    pub steps: usize,
    /// Number of columns.
    pub columns: usize,
    pub order: PackedOrder,
    pub values: Vec<E>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PackedOrder {
    /// Panels of 32 columns (the last one filled up with zeros), and within one
    /// `[steps / group][32][group]`, steps filled up with zeros to a whole group.
    Panels,
    /// `[steps][columns]`, for processors that have no microkernel of ours.
    Plain,
}

impl<E: Element> Packed<E> {
    /// Of a matrix whose element at (step, column) is `at(step, column)`.
    pub fn new(
        machine: Machine,
        steps: usize,
        columns: usize,
        at: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Self {
        if !machine.has_avx512() {
            let mut values = vec![E::default(); steps * columns];
            values
                .par_chunks_mut(columns.max(1))
                .enumerate()
                .for_each(|(p, row)| {
                    for (c, value) in row.iter_mut().enumerate() {
                        *value = E::from_f32(at(p, c));
                    }
                });
            return Self {
                steps,
                columns,
                order: PackedOrder::Plain,
                values,
            };
        }
        let groups = steps.div_ceil(E::GROUP);
        let panel = groups * PANEL * E::GROUP;
        let mut values = vec![E::default(); columns.div_ceil(PANEL) * panel];
        values
            .par_chunks_mut(panel.max(1))
            .enumerate()
            .for_each(|(j, panel)| {
                let width = PANEL.min(columns - j * PANEL);
                for (g, group) in panel.chunks_exact_mut(PANEL * E::GROUP).enumerate() {
                    for c in 0..width {
                        for i in 0..E::GROUP.min(steps - g * E::GROUP) {
                            let value = at(g * E::GROUP + i, j * PANEL + c);
                            group[c * E::GROUP + i] = E::from_f32(value);
                        }
                    }
                }
            });
        Self {
            steps,
            columns,
            order: PackedOrder::Panels,
            values,
        }
    }

    /// Steps as the panels have them: filled up to a whole group.
    pub fn padded_steps(&self) -> usize {
        self.steps.next_multiple_of(E::GROUP)
    }

    /// The 32 columns of panel `j`.
    pub fn panel(&self, j: usize) -> &[E] {
        let len = self.padded_steps() * PANEL;
        &self.values[j * len..(j + 1) * len]
    }

    /// The element at (step, column).
    pub fn at(&self, step: usize, column: usize) -> f32 {
        let index = match self.order {
            PackedOrder::Plain => step * self.columns + column,
            PackedOrder::Panels => {
                (column / PANEL * self.padded_steps() + step / E::GROUP * E::GROUP) * PANEL
                    + column % PANEL * E::GROUP
                    + step % E::GROUP
            }
        };
        self.values[index].to_f32()
    }

    /// Its transpose, packed: for the way back.
    pub fn transposed(&self, machine: Machine) -> Self {
        Self::new(machine, self.columns, self.steps, |p, c| self.at(c, p))
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;

    fn holds<E: Element>(machine: Machine, steps: usize, columns: usize) {
        let at = |p: usize, c: usize| (p * 101 + c) as f32 % 61.0;
        let packed = Packed::<E>::new(machine, steps, columns, at);
        let back = packed.transposed(machine);
        for p in 0..steps {
            for c in 0..columns {
                assert_eq!(packed.at(p, c), at(p, c), "{p}, {c}");
                assert_eq!(back.at(c, p), at(p, c), "{p}, {c} transposed");
            }
        }
    }

    #[test]
    fn keeps_every_element_in_place() {
        for (steps, columns) in [(1, 1), (7, 33), (64, 64), (65, 31), (2, 100)] {
            for machine in [Machine::here(), Machine::portable()] {
                holds::<f32>(machine, steps, columns);
                holds::<bf16>(machine, steps, columns);
            }
        }
    }
}
