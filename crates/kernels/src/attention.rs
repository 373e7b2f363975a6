//! Multi-head attention over ragged sequences with rows that all of them share, forward and backward.
//!
//! One task takes one head of a group of sequences. The weights of a few queries at a time live in
//! its working memory; on the way back they are computed anew. All sums are `f32`; weights and scores'
//! gradients are rounded where they are operands, but for the gradients of keys and values.

use rayon::prelude::*;

use crate::element::Element;
use crate::elementwise::{exponentials, narrow, scale, softmax_backward, widen};
use crate::layout::Layout;
use crate::machine::Machine;
use crate::microkernel::{Left, Order, PANEL, TILE, Tiled};
use crate::product::one_panel;
use crate::scratch::{Buffer, Shares};

/// Groups that the sequences are divided into: enough for many threads, and the same for any number
/// of them, since each sums its own part of the shared rows' gradients.
const GROUPS: usize = 16;

/// The operands of one attention. `width = heads * head_dim`; keys and values lie side by side,
/// `[rows, 2 * width]`.
pub(crate) struct Attention<'a, E> {
    pub machine: Machine,
    pub heads: usize,
    pub head_dim: usize,
    pub layout: &'a Layout,
    /// Queries of the live rows, `[live, width]`.
    pub query: &'a [E],
    /// Of all rows of the layout.
    pub key_value: &'a [E],
    /// Of rows that every sequence sees and that have no gradient.
    pub constant: &'a [E],
    /// Of rows that every sequence sees.
    pub shared: &'a [E],
}

/// Where the gradients go.
pub(crate) struct AttentionGradients<'a, E> {
    /// `[live, ..]` of this stride, and `[rows, ..]` of keys and values; none where nobody asks.
    pub own: Option<OwnGradients<'a, E>>,
    /// `[shared rows, 2 * width]`.
    pub shared: &'a mut [f32],
}

pub(crate) struct OwnGradients<'a, E> {
    pub query: &'a mut [E],
    pub query_stride: usize,
    pub key_value: &'a mut [E],
    pub key_value_stride: usize,
}

/// Rows in the form of a right operand, laid out as [`Packed`](crate::packed::Packed) says, or the
/// transpose thereof.
struct Panels<E: Element> {
    values: Buffer<E>,
    /// Filled up to a whole group.
    steps: usize,
}

impl<E: Element> Panels<E> {
    fn new(steps: usize, columns: usize) -> Self {
        let steps = steps.next_multiple_of(E::GROUP);
        Self {
            values: Buffer::zeros(steps * columns.next_multiple_of(PANEL)),
            steps,
        }
    }

    /// Row `r` of the operand.
    fn set_row(&mut self, r: usize, row: &[E]) {
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

    /// Columns `from..` of the operand, one after another; whole panels at once where there are.
    fn set_columns<'b>(&mut self, from: usize, to: usize, column: impl Fn(usize) -> &'b [E])
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

    fn panel(&self, j: usize) -> &[E] {
        &self.values[j * self.steps * PANEL..(j + 1) * self.steps * PANEL]
    }
}

impl Panels<f32> {
    /// Row `r` of the operand, exactly.
    fn set_widened<E: Element>(&mut self, r: usize, row: &[E]) {
        for (j, part) in row.chunks(PANEL).enumerate() {
            let at = (j * self.steps + r) * PANEL;
            widen(part, 1.0, &mut self.values[at..at + part.len()]);
        }
    }
}

impl<E: Tiled> Attention<'_, E> {
    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    fn constant_rows(&self) -> usize {
        self.constant.len() / (2 * self.width())
    }

    fn shared_rows(&self) -> usize {
        self.shared.len() / (2 * self.width())
    }

    /// Rows that every sequence sees.
    fn fixed_rows(&self) -> usize {
        self.constant_rows() + self.shared_rows()
    }

    /// Keys and values of the longest sequence.
    fn longest(&self) -> usize {
        self.fixed_rows() + self.layout.longest()
    }

    /// Key (or, `offset` by the width, value) of one head of the `j`-th row that sequence `s` sees.
    fn seen(&self, s: usize, j: usize, head: usize, offset: usize) -> &[E] {
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

    /// How many of the rows that its sequence sees the `l`-th live row sees.
    fn sight(&self, s: usize, l: usize) -> usize {
        let sequence = self.layout.sequence(s);
        self.fixed_rows()
            + if self.layout.is_causal() {
                self.layout.live_row(l) - sequence.start + 1
            } else {
                sequence.len()
            }
    }

    /// One head of the rows `from..to` of `rows`, `[rows, width]`.
    fn head<'b, F: Element>(&self, rows: &'b [F], stride: usize, l: usize, head: usize) -> &'b [F] {
        &rows[l * stride + head * self.head_dim..][..self.head_dim]
    }

    fn tasks(&self) -> Vec<(usize, usize)> {
        let groups = GROUPS.min(self.layout.sequences());
        (0..groups)
            .flat_map(|g| (0..self.heads).map(move |h| (g, h)))
            .collect()
    }

    fn group(&self, g: usize) -> std::ops::Range<usize> {
        let (n, groups) = (
            self.layout.sequences(),
            GROUPS.min(self.layout.sequences()).max(1),
        );
        n * g / groups..n * (g + 1) / groups
    }

    /// Keys transposed (or values): what scores (or the weights' gradients) are computed with. The
    /// fixed rows are there from the sequence before.
    fn set_columns(
        &self,
        panels: &mut Panels<E>,
        s: usize,
        head: usize,
        offset: usize,
        first: bool,
    ) {
        let from = if first { 0 } else { self.fixed_rows() };
        let to = self.fixed_rows() + self.layout.sequence(s).len();
        panels.set_columns(from, to, |j| self.seen(s, j, head, offset));
    }

    fn set_rows(&self, panels: &mut Panels<E>, s: usize, head: usize, offset: usize, first: bool) {
        let from = if first { 0 } else { self.fixed_rows() };
        for j in from..self.fixed_rows() + self.layout.sequence(s).len() {
            panels.set_row(j, self.seen(s, j, head, offset));
        }
    }

    /// Length of a head's rows as a left operand.
    fn padded_head(&self) -> usize {
        self.head_dim.next_multiple_of(E::GROUP)
    }

    /// Products of a few rows with the columns of every row that they see.
    fn against(
        &self,
        rows: &[E],
        n: usize,
        columns: &Panels<E>,
        seen: usize,
        out: &mut [f32],
        stride: usize,
    ) {
        for j in 0..seen.div_ceil(PANEL) {
            one_panel(
                self.machine,
                n,
                Left {
                    values: rows,
                    stride: self.padded_head(),
                    order: Order::Rows,
                },
                columns.steps,
                columns.panel(j),
                &mut out[j * PANEL..],
                stride,
            );
        }
    }

    /// Weighted sums of the first `seen` rows of an operand, into `[n, padded head]`: the weights are
    /// the first `n` rows of a left operand, rounded in `rounded`.
    fn gather(
        &self,
        weights: Left<f32>,
        n: usize,
        seen: usize,
        rows: &Panels<E>,
        rounded: &mut [E],
        out: &mut [f32],
    ) {
        // A step beyond meets a weight of zero.
        let steps = seen.next_multiple_of(E::GROUP);
        let padded = self.head_dim.next_multiple_of(PANEL);
        for i in 0..n {
            let row = i * weights.stride..i * weights.stride + steps;
            narrow(&weights.values[row.clone()], 1.0, &mut rounded[row]);
        }
        for j in 0..padded / PANEL {
            let left = Left {
                values: &*rounded,
                stride: weights.stride,
                order: Order::Rows,
            };
            let out = &mut out[j * PANEL..];
            one_panel(self.machine, n, left, steps, rows.panel(j), out, padded);
        }
    }

    /// Values that each live row gathers, into `[live, ..]` rows of `out_stride`.
    pub fn forward(&self, out: &mut [E], out_stride: usize) {
        let out = Shares::new(out);
        let factor = 1.0 / (self.head_dim as f32).sqrt();
        let (dim, longest) = (self.head_dim, self.longest());
        let stride = longest.next_multiple_of(PANEL);
        let padded_dim = dim.next_multiple_of(PANEL);
        self.tasks().into_par_iter().for_each(|(g, head)| {
            let mut keys = Panels::new(dim, longest);
            let mut values = Panels::new(longest, dim);
            let mut queries = Buffer::<E>::zeros(TILE * self.padded_head());
            let mut weights = Buffer::<f32>::any(TILE * stride);
            let mut rounded = Buffer::<E>::any(TILE * stride);
            let mut sums = Buffer::<f32>::any(TILE * padded_dim);
            for (nth, s) in self.group(g).enumerate() {
                let live = self.layout.live_of(s);
                if live.is_empty() {
                    // The fixed rows would be missing in the next one.
                    if nth == 0 {
                        self.set_columns(&mut keys, s, head, 0, true);
                        self.set_rows(&mut values, s, head, self.width(), true);
                    }
                    continue;
                }
                self.set_columns(&mut keys, s, head, 0, nth == 0);
                self.set_rows(&mut values, s, head, self.width(), nth == 0);
                for from in live.clone().step_by(TILE) {
                    let n = TILE.min(live.end - from);
                    let most = self.sight(s, from + n - 1);
                    for i in 0..n {
                        let query = self.head(self.query, self.width(), from + i, head);
                        queries[i * self.padded_head()..][..dim].copy_from_slice(query);
                    }
                    self.against(&queries, n, &keys, most, &mut weights, stride);
                    let mut inverse = [0.0f32; TILE];
                    for (i, inverse) in inverse[..n].iter_mut().enumerate() {
                        let row = &mut weights[i * stride..(i + 1) * stride];
                        *inverse = 1.0 / exponentials(row, self.sight(s, from + i), factor);
                    }
                    let left = Left {
                        values: &weights[..],
                        stride,
                        order: Order::Rows,
                    };
                    self.gather(left, n, most, &values, &mut rounded, &mut sums);
                    for (i, inverse) in inverse[..n].iter().enumerate() {
                        // SAFETY: no other task has this head of this row.
                        let out = unsafe { out.part((from + i) * out_stride + head * dim, dim) };
                        narrow(&sums[i * padded_dim..], *inverse, out);
                    }
                }
            }
        });
    }

    /// Gradients of queries, keys and values from the gradient `[live, ..]` (rows of `stride`) of
    /// what [`forward`](Self::forward) gave.
    pub fn backward(&self, gradient: &[E], stride: usize, into: AttentionGradients<E>) {
        let width = self.width();
        let shared_len = self.shared.len();
        let groups = GROUPS.min(self.layout.sequences());
        let mut partial = Buffer::<f32>::zeros(groups * shared_len);
        {
            let partial = Shares::new(&mut partial);
            let own = into.own.map(|own| {
                (
                    Shares::new(own.query),
                    own.query_stride,
                    Shares::new(own.key_value),
                    own.key_value_stride,
                )
            });
            self.tasks().into_par_iter().for_each(|(g, head)| {
                let mut task = BackwardTask::new(self);
                for (nth, s) in self.group(g).enumerate() {
                    task.weigh(s, head, gradient, stride, nth == 0);
                    if let Some((query, query_stride, key_value, key_value_stride)) = &own {
                        task.queries(s, head, query, *query_stride);
                        let rows = self.layout.sequence(s);
                        task.keys(
                            self.fixed_rows()..self.fixed_rows() + rows.len(),
                            s,
                            |j, dk, dv| {
                                let at = (rows.start + j) * key_value_stride + head * self.head_dim;
                                // SAFETY: no other task has this head of this row, and the parts of
                                // keys and values are `width` apart.
                                unsafe {
                                    narrow(dk, 1.0, key_value.part(at, self.head_dim));
                                    narrow(dv, 1.0, key_value.part(at + width, self.head_dim));
                                }
                            },
                        );
                    }
                    task.keys(self.constant_rows()..self.fixed_rows(), s, |j, dk, dv| {
                        let at = g * shared_len + j * 2 * width + head * self.head_dim;
                        for (offset, part) in [(0, dk), (width, dv)] {
                            // SAFETY: no other task has this head of this group's sums.
                            let sums = unsafe { partial.part(at + offset, self.head_dim) };
                            for (sum, x) in sums.iter_mut().zip(part) {
                                *sum += x;
                            }
                        }
                    });
                }
            });
        }
        // In the order of the groups, whoever computed them.
        into.shared.fill(0.0);
        for part in partial.chunks_exact(shared_len.max(1)) {
            for (sum, x) in into.shared.iter_mut().zip(part) {
                *sum += x;
            }
        }
    }
}

/// Working memory of one head's way back.
struct BackwardTask<'a, E: Element> {
    of: &'a Attention<'a, E>,
    stride: usize,
    padded_dim: usize,
    keys_transposed: Panels<E>,
    values_transposed: Panels<E>,
    keys: Panels<E>,
    queries: Panels<f32>,
    gradients: Panels<f32>,
    /// `[live rows of the sequence, stride]`, as are the scores' gradients.
    weights: Buffer<f32>,
    scores: Buffer<f32>,
    rows: Buffer<E>,
    rounded: Buffer<E>,
    sums: Buffer<f32>,
    more_sums: Buffer<f32>,
}

impl<'a, E: Tiled> BackwardTask<'a, E> {
    fn new(of: &'a Attention<'a, E>) -> Self {
        let (dim, longest) = (of.head_dim, of.longest());
        let stride = longest.next_multiple_of(PANEL);
        let padded_dim = dim.next_multiple_of(PANEL);
        let most = (0..of.layout.sequences())
            .map(|s| of.layout.live_of(s).len())
            .max()
            .unwrap_or(0);
        Self {
            of,
            stride,
            padded_dim,
            keys_transposed: Panels::new(dim, longest),
            values_transposed: Panels::new(dim, longest),
            keys: Panels::new(longest, dim),
            queries: Panels::new(most, dim),
            gradients: Panels::new(most, dim),
            weights: Buffer::any(most * stride),
            scores: Buffer::any(most * stride),
            rows: Buffer::zeros(TILE * of.padded_head()),
            rounded: Buffer::any(TILE * stride),
            sums: Buffer::any(TILE * padded_dim),
            more_sums: Buffer::any(TILE * padded_dim),
        }
    }

    /// Weights and the gradients of scores of all live rows of a sequence.
    fn weigh(
        &mut self,
        s: usize,
        head: usize,
        gradient: &[E],
        gradient_stride: usize,
        first: bool,
    ) {
        let of = self.of;
        let dim = of.head_dim;
        let factor = 1.0 / (dim as f32).sqrt();
        of.set_columns(&mut self.keys_transposed, s, head, 0, first);
        of.set_columns(&mut self.values_transposed, s, head, of.width(), first);
        of.set_rows(&mut self.keys, s, head, 0, first);
        let live = of.layout.live_of(s);
        for from in live.clone().step_by(TILE) {
            let n = TILE.min(live.end - from);
            let most = of.sight(s, from + n - 1);
            let at = (from - live.start) * self.stride;
            let (weights, scores) = (&mut self.weights[at..], &mut self.scores[at..]);
            for i in 0..n {
                let query = of.head(of.query, of.width(), from + i, head);
                self.queries.set_widened(from + i - live.start, query);
                self.rows[i * of.padded_head()..][..dim].copy_from_slice(query);
            }
            of.against(
                &self.rows,
                n,
                &self.keys_transposed,
                most,
                weights,
                self.stride,
            );
            for i in 0..n {
                let g = of.head(gradient, gradient_stride, from + i, head);
                self.gradients.set_widened(from + i - live.start, g);
                self.rows[i * of.padded_head()..][..dim].copy_from_slice(g);
            }
            of.against(
                &self.rows,
                n,
                &self.values_transposed,
                most,
                scores,
                self.stride,
            );
            for i in 0..n {
                let seen = of.sight(s, from + i);
                let row = i * self.stride..(i + 1) * self.stride;
                let weights = &mut weights[row.clone()];
                let sum = exponentials(weights, seen, factor);
                scale(&mut weights[..seen], 1.0 / sum);
                let scores = &mut scores[row];
                scores[seen..].fill(0.0);
                softmax_backward(&weights[..seen], &mut scores[..seen], factor);
            }
        }
    }

    fn queries(&mut self, s: usize, head: usize, out: &Shares<E>, out_stride: usize) {
        let of = self.of;
        let live = of.layout.live_of(s);
        for from in live.clone().step_by(TILE) {
            let n = TILE.min(live.end - from);
            let most = of.sight(s, from + n - 1);
            let left = Left {
                values: &self.scores[(from - live.start) * self.stride..],
                stride: self.stride,
                order: Order::Rows,
            };
            of.gather(left, n, most, &self.keys, &mut self.rounded, &mut self.sums);
            for i in 0..n {
                let at = (from + i) * out_stride + head * of.head_dim;
                // SAFETY: no other task has this head of this row.
                let out = unsafe { out.part(at, of.head_dim) };
                narrow(&self.sums[i * self.padded_dim..], 1.0, out);
            }
        }
    }

    /// Gradients of keys and values of the `which` of the rows that the sequence sees.
    fn keys(
        &mut self,
        which: std::ops::Range<usize>,
        s: usize,
        mut out: impl FnMut(usize, &[f32], &[f32]),
    ) {
        let of = self.of;
        let live = of.layout.live_of(s).len();
        for from in which.clone().step_by(TILE) {
            let n = TILE.min(which.end - from);
            for (left, right, sums) in [
                (&self.scores, &self.queries, &mut self.sums),
                (&self.weights, &self.gradients, &mut self.more_sums),
            ] {
                for j in 0..self.padded_dim / PANEL {
                    one_panel(
                        of.machine,
                        n,
                        Left {
                            values: &left[from.min(left.len())..],
                            stride: self.stride,
                            order: Order::Columns,
                        },
                        live,
                        right.panel(j),
                        &mut sums[j * PANEL..],
                        self.padded_dim,
                    );
                }
            }
            for i in 0..n {
                let row = i * self.padded_dim..i * self.padded_dim + of.head_dim;
                out(
                    from - which.start + i,
                    &self.sums[row.clone()],
                    &self.more_sums[row],
                );
            }
        }
    }
}
