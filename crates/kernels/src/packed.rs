//! A constant matrix, packed in the order in which the products read it.

use rayon::prelude::*;

use crate::cpu::CpuFeatures;
use crate::element::Element;
use crate::tile::PANEL;

/// The right operand of many products, `[steps, columns]`, packed once.
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
    /// `[steps][columns]`, for processors that this crate has no microkernel for.
    RowMajor,
}

impl<E: Element> Packed<E> {
    /// Packs the matrix whose element at (step, column) is `at(step, column)`, by all threads.
    pub fn new(
        cpu: CpuFeatures,
        steps: usize,
        columns: usize,
        at: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Self {
        let mut packed = Self::zeros(cpu, steps, columns);
        let (part, order) = (packed.part(), packed.order);
        packed
            .values
            .par_chunks_mut(part)
            .enumerate()
            .for_each(|(j, values)| order.fill(j, values, steps, columns, &at));
        packed
    }

    fn zeros(cpu: CpuFeatures, steps: usize, columns: usize) -> Self {
        let (order, len) = if cpu.has_avx512() {
            let panels = columns.div_ceil(PANEL) * PANEL;
            (
                PackedOrder::Panels,
                panels * steps.next_multiple_of(E::GROUP),
            )
        } else {
            (PackedOrder::RowMajor, steps * columns)
        };
        Self {
            steps,
            columns,
            order,
            values: vec![E::default(); len],
        }
    }

    /// Numbers that are filled at a time: those of a panel, or of a step.
    fn part(&self) -> usize {
        match self.order {
            PackedOrder::Panels => self.padded_steps() * PANEL,
            PackedOrder::RowMajor => self.columns,
        }
        .max(1)
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
            PackedOrder::RowMajor => step * self.columns + column,
            PackedOrder::Panels => {
                (column / PANEL * self.padded_steps() + step / E::GROUP * E::GROUP) * PANEL
                    + column % PANEL * E::GROUP
                    + step % E::GROUP
            }
        };
        self.values[index].to_f32()
    }

    /// Its transpose, packed: for the backward pass.
    ///
    /// By this thread alone. It is made on first use, within a task: if the work were divided among
    /// threads, this thread could meanwhile pick up another task that waits for the result, a
    /// deadlock.
    pub fn transposed(&self, cpu: CpuFeatures) -> Self {
        let mut packed = Self::zeros(cpu, self.columns, self.steps);
        let (part, order) = (packed.part(), packed.order);
        let (steps, columns) = (packed.steps, packed.columns);
        for (j, values) in packed.values.chunks_mut(part).enumerate() {
            order.fill(j, values, steps, columns, &|p, c| self.at(c, p));
        }
        packed
    }
}

impl PackedOrder {
    /// Fills panel (or step) `j` of a matrix.
    fn fill<E: Element>(
        self,
        j: usize,
        values: &mut [E],
        steps: usize,
        columns: usize,
        at: &impl Fn(usize, usize) -> f32,
    ) {
        match self {
            Self::RowMajor => {
                for (c, value) in values.iter_mut().enumerate() {
                    *value = E::from_f32(at(j, c));
                }
            }
            Self::Panels => {
                let width = PANEL.min(columns - j * PANEL);
                for (g, group) in values.chunks_exact_mut(PANEL * E::GROUP).enumerate() {
                    for c in 0..width {
                        for i in 0..E::GROUP.min(steps - g * E::GROUP) {
                            let value = at(g * E::GROUP + i, j * PANEL + c);
                            group[c * E::GROUP + i] = E::from_f32(value);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::*;

    fn check<E: Element>(cpu: CpuFeatures, steps: usize, columns: usize) {
        let at = |p: usize, c: usize| (p * 101 + c) as f32 % 61.0;
        let packed = Packed::<E>::new(cpu, steps, columns, at);
        let transposed = packed.transposed(cpu);
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
            for cpu in [CpuFeatures::detected(), CpuFeatures::portable()] {
                check::<f32>(cpu, steps, columns);
                check::<bf16>(cpu, steps, columns);
            }
        }
    }
}
