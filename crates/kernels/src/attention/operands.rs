//! The operands of an attention, and the products that its forward and backward passes share.

use crate::convert::narrow;
use crate::element::Element;
use crate::instruction_set::InstructionSet;
use crate::layout::Layout;
use crate::microkernel::{Microkernel, panel};
use crate::tile::{Left, Order, PANEL, panel_width};

use super::panels::Panels;

/// Groups that the sequences are divided into: enough for many threads, and the same for any number
/// of them, since each sums its own part of the shared rows' gradients.
const GROUPS: usize = 16;

/// The operands of one attention. `width = heads * head_dim`; keys and values are side by side,
/// `[rows, 2 * width]`.
pub(crate) struct Attention<'a, E> {
    pub set: InstructionSet,
    pub heads: usize,
    pub head_dim: usize,
    pub layout: &'a Layout,
    /// Queries of the output rows, `[outputs, width]`.
    pub query: &'a [E],
    /// Keys and values of all rows of the layout, `[rows, 2 * width]`.
    pub key_value: &'a [E],
    /// Keys and values of rows that every sequence attends to and that have no gradient,
    /// `[constant rows, 2 * width]`.
    pub constant: &'a [E],
    /// Keys and values of rows that every sequence attends to, `[shared rows, 2 * width]`.
    pub shared: &'a [E],
}

impl<E: Microkernel> Attention<'_, E> {
    pub fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    pub fn constant_rows(&self) -> usize {
        self.constant.len() / (2 * self.width())
    }

    pub fn shared_rows(&self) -> usize {
        self.shared.len() / (2 * self.width())
    }

    /// Number of rows that every sequence attends to.
    pub fn fixed_rows(&self) -> usize {
        self.constant_rows() + self.shared_rows()
    }

    /// Most rows that a sequence attends to.
    pub fn longest(&self) -> usize {
        self.fixed_rows() + self.layout.longest()
    }

    /// Key (or, with the width as `offset`, value) of one head of the `j`-th row that sequence `s`
    /// attends to, `[head_dim]`.
    pub fn attended_row(&self, s: usize, j: usize, head: usize, offset: usize) -> &[E] {
        let double = 2 * self.width();
        let constant = self.constant_rows();
        let fixed = self.fixed_rows();
        let row = if j < constant {
            &self.constant[j * double..][..double]
        } else if j < fixed {
            &self.shared[(j - constant) * double..][..double]
        } else {
            &self.key_value[(self.layout.sequence(s).start + j - fixed) * double..][..double]
        };
        &row[offset + head * self.head_dim..][..self.head_dim]
    }

    /// Number of rows that output row `i`, a row of sequence `s`, attends to: the first so many of
    /// the sequence's.
    pub fn attended_rows(&self, s: usize, i: usize) -> usize {
        let sequence = self.layout.sequence(s);
        self.fixed_rows()
            + if self.layout.is_causal() {
                self.layout.output_row(i) - sequence.start + 1
            } else {
                sequence.len()
            }
    }

    /// One head of row `r` of `rows` (row `r` at `r * stride`), `[head_dim]`.
    pub fn head<'b, F: Element>(
        &self,
        rows: &'b [F],
        stride: usize,
        r: usize,
        head: usize,
    ) -> &'b [F] {
        &rows[r * stride + head * self.head_dim..][..self.head_dim]
    }

    /// Number of groups of sequences.
    pub fn groups(&self) -> usize {
        GROUPS.min(self.layout.sequences())
    }

    /// The (group of sequences, head) of each task.
    pub fn tasks(&self) -> Vec<(usize, usize)> {
        (0..self.groups())
            .flat_map(|g| (0..self.heads).map(move |h| (g, h)))
            .collect()
    }

    /// The sequences of group `g`.
    pub fn group(&self, g: usize) -> std::ops::Range<usize> {
        let (n, groups) = (self.layout.sequences(), self.groups().max(1));
        n * g / groups..n * (g + 1) / groups
    }

    /// Writes the keys (or values) that sequence `s` attends to as columns, `[head_dim, rows]`: the
    /// operand of scores (or of the weights' gradients). The rows that every sequence attends to
    /// are left from the sequence before, unless this is the `first`.
    pub fn set_columns(
        &self,
        panels: &mut Panels<E>,
        s: usize,
        head: usize,
        offset: usize,
        first: bool,
    ) {
        let from = if first { 0 } else { self.fixed_rows() };
        let to = self.fixed_rows() + self.layout.sequence(s).len();
        panels.set_columns(from, to, |j| self.attended_row(s, j, head, offset));
    }

    /// The same as rows, `[rows, head_dim]`: the operand of weighted sums.
    pub fn set_rows(
        &self,
        panels: &mut Panels<E>,
        s: usize,
        head: usize,
        offset: usize,
        first: bool,
    ) {
        let from = if first { 0 } else { self.fixed_rows() };
        for j in from..self.fixed_rows() + self.layout.sequence(s).len() {
            panels.set_row(j, self.attended_row(s, j, head, offset));
        }
    }

    /// Length of a head's rows as a left operand: padded to a whole group.
    pub fn padded_head(&self) -> usize {
        self.head_dim.next_multiple_of(E::GROUP)
    }

    /// Products of `n` rows `[n, padded head]` with the first `attended` columns of an operand, into
    /// `out` `[n, stride]`.
    pub fn row_products(
        &self,
        rows: &[E],
        n: usize,
        columns: &Panels<E>,
        attended: usize,
        out: &mut [f32],
        stride: usize,
    ) {
        for column in (0..attended).step_by(panel_width(self.set)) {
            panel(
                self.set,
                n,
                columns.steps,
                Left {
                    values: rows,
                    stride: self.padded_head(),
                    order: Order::RowMajor,
                },
                columns.panel(column),
                &mut out[column..],
                stride,
            );
        }
    }

    /// Weighted sums of the first `attended` rows of an operand, into `out` `[n, head_dim padded to
    /// whole panels]`. The weights are the first `n` rows of a left operand; `rounded` is where they
    /// are rounded.
    pub fn weighted_sums(
        &self,
        weights: Left<f32>,
        n: usize,
        attended: usize,
        rows: &Panels<E>,
        rounded: &mut [E],
        out: &mut [f32],
    ) {
        // A step beyond `attended` has a weight of zero.
        let steps = attended.next_multiple_of(E::GROUP);
        let padded = self.head_dim.next_multiple_of(PANEL);
        for i in 0..n {
            let row = i * weights.stride..i * weights.stride + steps;
            narrow(
                self.set,
                &weights.values[row.clone()],
                1.0,
                &mut rounded[row],
            );
        }
        for column in (0..self.head_dim).step_by(panel_width(self.set)) {
            let left = Left {
                values: &*rounded,
                stride: weights.stride,
                order: Order::RowMajor,
            };
            let out = &mut out[column..];
            panel(self.set, n, steps, left, rows.panel(column), out, padded);
        }
    }
}
