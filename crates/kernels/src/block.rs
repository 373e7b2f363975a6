//! A frozen residual attention block: weights packed once, rows to rows, and gradients of the rows.
//!
//! The affine part of each layer normalisation is folded into the linear layer behind it, so that
//! what the products read is also what the way back through the normalisation needs.

use std::any::Any;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use half::bf16;
use rayon::prelude::*;

use crate::activation::Activation;
use crate::attention::{Attention, AttentionGradients, OwnGradients};
use crate::element::Element;
use crate::elementwise::{
    activate, activate_backward, add, normalise, normalise_backward, put, round_rows, store,
};
use crate::layout::Layout;
use crate::machine::Machine;
use crate::microkernel::Tiled;
use crate::packed::Packed;
use crate::precision::Precision;
use crate::product::{padded, product};
use crate::scratch::{Buffer, Pooled, Shares};

/// What a block's shape is, apart from its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockShape {
    /// Length of a row.
    pub width: usize,
    /// Attention heads, of which the width is a multiple.
    pub heads: usize,
    /// Length of a row inside the MLP.
    pub hidden: usize,
    /// Between the MLP's two linear layers.
    pub activation: Activation,
    /// Added to the variance in layer normalisation.
    pub epsilon: f32,
}

/// A block's weights as PyTorch keeps them: matrices are `[outputs, inputs]`.
#[derive(Clone, Copy, Debug)]
pub struct BlockWeights<'a> {
    /// First layer normalisation: weight and bias, `[width]` each.
    pub ln_1: [&'a [f32]; 2],
    /// Queries, keys and values: `[3 * width, width]` and `[3 * width]`.
    pub in_proj: [&'a [f32]; 2],
    /// After the attention: `[width, width]` and `[width]`.
    pub out_proj: [&'a [f32]; 2],
    /// Second layer normalisation.
    pub ln_2: [&'a [f32]; 2],
    /// First layer of the MLP: `[hidden, width]` and `[hidden]`.
    pub c_fc: [&'a [f32]; 2],
    /// Second layer of the MLP: `[width, hidden]` and `[width]`.
    pub c_proj: [&'a [f32]; 2],
}

/// Queries, keys and values of rows that never change, computed once for many calls.
#[derive(Clone)]
pub struct Projected {
    rows: usize,
    of: Arc<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for Projected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Projected")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Projected {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

#[derive(Debug)]
struct Projection<E: Element> {
    query: Buffer<E>,
    key_value: Buffer<E>,
}

/// What the way back needs of the way forth.
pub(crate) struct Trace(Box<dyn Any + Send>);

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trace")
    }
}

struct TraceOf<E: Element> {
    /// None where the projection was given.
    own: Option<Normalised<E>>,
    shared: Option<Normalised<E>>,
    projection: Arc<Projection<E>>,
    shared_key_value: Buffer<E>,
    second: Normalised<E>,
    hidden: Buffer<E>,
}

/// Normalised rows before the MLP, and what its activation was applied to.
type InnerTrace<E> = (Normalised<E>, Buffer<E>);

/// Normalised rows and one over each deviation.
struct Normalised<E: Element> {
    rows: Buffer<E>,
    inverse: Buffer<f32>,
}

/// Everything but rows that a call of a block is given.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub layout: &'a Layout,
    pub constant: Option<&'a Projected>,
    pub given: Option<&'a Projected>,
}

/// A block in one number format.
pub(crate) trait Kernel: Send + Sync {
    fn project(&self, rows: &[f32]) -> Projected;

    /// Rows `[live, width]` from own rows and shared rows; with the trace if it is wanted.
    fn forward(
        &self,
        own: &[f32],
        shared: &[f32],
        around: Around,
        traced: bool,
    ) -> (Vec<f32>, Option<Trace>);

    /// Gradients of own and shared rows, in this order one after another; those of the own rows are
    /// left out if nobody wants them.
    fn backward(
        &self,
        gradient: &[f32],
        trace: Trace,
        around: Around,
        own_wanted: bool,
    ) -> Vec<f32>;

    fn shape(&self) -> BlockShape;

    fn precision(&self) -> Precision;
}

/// A frozen residual attention block, `x + attention(norm(x))`, then `x + mlp(norm(x))`.
#[derive(Clone)]
pub struct FrozenBlock {
    pub(crate) kernel: Arc<dyn Kernel>,
}

impl std::fmt::Debug for FrozenBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrozenBlock")
            .field("shape", &self.kernel.shape())
            .field("precision", &self.kernel.precision())
            .finish_non_exhaustive()
    }
}

impl FrozenBlock {
    /// Packs a block's weights for this processor.
    ///
    /// # Panics
    /// If a weight has another length than its shape says, or this processor cannot compute in the
    /// precision (see [`Precision::check`]).
    pub fn new(shape: BlockShape, precision: Precision, weights: BlockWeights) -> Self {
        Self::for_machine(Machine::here(), shape, precision, weights)
    }

    /// As [`new`](Self::new), with no instructions but those of `machine`.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn for_machine(
        machine: Machine,
        shape: BlockShape,
        precision: Precision,
        weights: BlockWeights,
    ) -> Self {
        let kernel: Arc<dyn Kernel> = match precision {
            Precision::F32 => Arc::new(Block::<f32>::new(machine, shape, weights)),
            Precision::Bf16 => {
                assert!(machine.has_bf16(), "bf16 without instructions for it");
                Arc::new(Block::<bf16>::new(machine, shape, weights))
            }
        };
        Self { kernel }
    }

    /// Its shape.
    pub fn shape(&self) -> BlockShape {
        self.kernel.shape()
    }

    /// The format of its weights.
    pub fn precision(&self) -> Precision {
        self.kernel.precision()
    }

    /// Queries, keys and values of rows `[rows, width]` that will be seen in many calls.
    ///
    /// # Panics
    /// If the number of values is no multiple of the width.
    pub fn project(&self, rows: &[f32]) -> Projected {
        assert!(rows.len().is_multiple_of(self.shape().width));
        self.kernel.project(rows)
    }
}

/// A linear layer, packed for both ways; the second on first use.
struct Linear<E> {
    forward: Packed<E>,
    bias: Vec<f32>,
    backward: OnceLock<Packed<E>>,
}

impl<E: Element> Linear<E> {
    /// Of rows of a PyTorch layer; `folded` is the affine part of the normalisation before it.
    fn new(
        machine: Machine,
        weight: &[f32],
        bias: &[f32],
        inputs: usize,
        folded: Option<[&[f32]; 2]>,
    ) -> Self {
        let outputs = bias.len();
        assert_eq!(weight.len(), inputs * outputs, "values of a linear layer");
        let Some([gain, shift]) = folded else {
            return Self {
                forward: Packed::new(machine, inputs, outputs, |p, c| weight[c * inputs + p]),
                bias: bias.to_vec(),
                backward: OnceLock::new(),
            };
        };
        assert_eq!((gain.len(), shift.len()), (inputs, inputs), "a layer norm");
        let bias = weight
            .par_chunks_exact(inputs)
            .zip(bias)
            .map(|(row, bias)| {
                let shifted = row.iter().zip(shift);
                let sum: f64 = shifted.map(|(w, s)| f64::from(*w) * f64::from(*s)).sum();
                (f64::from(*bias) + sum) as f32
            })
            .collect();
        Self {
            forward: Packed::new(machine, inputs, outputs, |p, c| {
                weight[c * inputs + p] * gain[p]
            }),
            bias,
            backward: OnceLock::new(),
        }
    }

    fn backward(&self, machine: Machine) -> &Packed<E> {
        self.backward
            .get_or_init(|| self.forward.transposed(machine))
    }
}

struct Block<E> {
    machine: Machine,
    shape: BlockShape,
    query: Linear<E>,
    key_value: Linear<E>,
    out_proj: Linear<E>,
    c_fc: Linear<E>,
    c_proj: Linear<E>,
}

/// Rows divided among the threads: blocks whose weights' traffic is small against the arithmetic and
/// whose rows stay in the second cache. No row's numbers depend on its block.
fn blocks(rows: usize, most: usize) -> Vec<Range<usize>> {
    let threads = rayon::current_num_threads().max(1);
    let n = rows
        .div_ceil(most)
        .next_multiple_of(threads)
        .min(rows.div_ceil(6))
        .max(1);
    (0..n).map(|b| rows * b / n..rows * (b + 1) / n).collect()
}

/// The rows of `x` `[rows, width]` that a list names, or all.
fn gather<T: Pooled>(x: &[T], width: usize, live: Range<usize>, layout: &Layout, out: &mut [T]) {
    match layout.live() {
        None => out.copy_from_slice(&x[live.start * width..live.end * width]),
        Some(list) => {
            for (row, out) in list[live].iter().zip(out.chunks_exact_mut(width)) {
                out.copy_from_slice(&x[row * width..(row + 1) * width]);
            }
        }
    }
}

impl<E: Tiled> Block<E> {
    fn new(machine: Machine, shape: BlockShape, weights: BlockWeights) -> Self {
        let BlockShape { width, hidden, .. } = shape;
        let [in_weight, in_bias] = weights.in_proj;
        assert!(width > 0 && hidden > 0 && shape.heads > 0);
        assert!(width.is_multiple_of(shape.heads), "width and heads");
        assert_eq!(in_bias.len(), 3 * width, "bias of queries, keys and values");
        assert_eq!(in_weight.len(), 3 * width * width, "their weight");
        let ln_1 = Some(weights.ln_1);
        let (query_weight, rest_weight) = in_weight.split_at(width * width);
        let (query_bias, rest_bias) = in_bias.split_at(width);
        let plain = |[weight, bias]: [&[f32]; 2], inputs, folded| {
            Linear::new(machine, weight, bias, inputs, folded)
        };
        let block = Self {
            machine,
            shape,
            query: plain([query_weight, query_bias], width, ln_1),
            key_value: plain([rest_weight, rest_bias], width, ln_1),
            out_proj: plain(weights.out_proj, width, None),
            c_fc: plain(weights.c_fc, width, Some(weights.ln_2)),
            c_proj: plain(weights.c_proj, hidden, None),
        };
        assert_eq!(block.out_proj.bias.len(), width, "bias after the attention");
        assert_eq!(block.c_fc.bias.len(), hidden, "bias inside the MLP");
        assert_eq!(block.c_proj.bias.len(), width, "bias after the MLP");
        block
    }

    /// Rows of a block: about half a mebibyte of what the MLP keeps.
    fn most_rows(&self) -> usize {
        let bytes = self.shape.hidden * size_of::<E>();
        ((640 << 10) / bytes).clamp(24, 120)
    }

    fn stride(&self) -> usize {
        padded(self.shape.width)
    }

    fn hidden_stride(&self) -> usize {
        padded(self.shape.hidden)
    }

    /// Normalises rows and projects them to queries (if they are wanted), keys and values.
    fn normalise_and_project(
        &self,
        x: &[f32],
        query: Option<&mut [E]>,
        key_value: &mut [E],
    ) -> Normalised<E> {
        let width = self.shape.width;
        let rows = x.len() / width;
        let stride = self.stride();
        let mut normalised = Normalised {
            rows: Buffer::any(rows * stride),
            inverse: Buffer::any(rows),
        };
        let n = Shares::new(&mut normalised.rows);
        let inverse = Shares::new(&mut normalised.inverse);
        let query = query.map(Shares::new);
        let key_value = Shares::new(key_value);
        blocks(rows, self.most_rows())
            .into_par_iter()
            .for_each(|block| {
                let (from, len) = (block.start, block.len());
                // SAFETY: the blocks are disjoint ranges of rows.
                let (n, inverse, key_value) = unsafe {
                    (
                        n.part(from * stride, len * stride),
                        inverse.part(from, len),
                        key_value.part(from * 2 * width, len * 2 * width),
                    )
                };
                let x = &x[from * width..(from + len) * width];
                normalise(x, width, self.shape.epsilon, n, stride, inverse);
                if let Some(query) = &query {
                    // SAFETY: as above.
                    let query = unsafe { query.part(from * width, len * width) };
                    self.project_into(n, len, &self.query, query);
                }
                self.project_into(n, len, &self.key_value, key_value);
            });
        normalised
    }

    fn project_into(&self, normalised: &[E], rows: usize, linear: &Linear<E>, out: &mut [E]) {
        let outputs = linear.bias.len();
        product(
            self.machine,
            rows,
            normalised,
            self.stride(),
            &linear.forward,
            |chunk| store(&chunk, rows, &linear.bias, out, outputs),
        );
    }

    /// Queries of the live rows, where these are a few of the normalised ones.
    fn few_queries(&self, normalised: &[E], layout: &Layout) -> Buffer<E> {
        let (width, stride) = (self.shape.width, self.stride());
        let live = layout.live_rows();
        let mut query = Buffer::any(live * width);
        let shares = Shares::new(&mut query);
        blocks(live, self.most_rows())
            .into_par_iter()
            .for_each(|block| {
                let len = block.len();
                let mut rows = Buffer::any(len * stride);
                // SAFETY: the blocks are disjoint ranges of rows.
                let query = unsafe { shares.part(block.start * width, len * width) };
                gather(normalised, stride, block, layout, &mut rows);
                self.project_into(&rows, len, &self.query, query);
            });
        query
    }

    /// Attention's result and the MLP on top of the live rows; with what the way back needs.
    fn finish(
        &self,
        own: &[f32],
        mixed: &[E],
        layout: &Layout,
        traced: bool,
    ) -> (Vec<f32>, Option<InnerTrace<E>>) {
        let BlockShape { width, hidden, .. } = self.shape;
        let (stride, hidden_stride) = (self.stride(), self.hidden_stride());
        let live = layout.live_rows();
        let mut out = vec![0.0f32; live * width];
        let mut trace = traced.then(|| {
            (
                Normalised {
                    rows: Buffer::any(live * stride),
                    inverse: Buffer::any(live),
                },
                Buffer::<E>::any(live * hidden),
            )
        });
        let shares = Shares::new(&mut out);
        let trace_shares = trace.as_mut().map(|(n, h)| {
            (
                Shares::new(&mut n.rows),
                Shares::new(&mut n.inverse),
                Shares::new(h),
            )
        });
        blocks(live, self.most_rows())
            .into_par_iter()
            .for_each(|block| {
                let (from, len) = (block.start, block.len());
                // SAFETY: the blocks are disjoint ranges of rows.
                let out = unsafe { shares.part(from * width, len * width) };
                gather(own, width, block.clone(), layout, out);
                let mixed = &mixed[from * stride..(from + len) * stride];
                let linear = &self.out_proj;
                product(self.machine, len, mixed, stride, &linear.forward, |chunk| {
                    add(&chunk, len, &linear.bias, out, width);
                });

                let mut rows;
                let mut inverse;
                let (n, inverse, mut kept) = match &trace_shares {
                    // SAFETY: as above.
                    Some((n, inverse, kept)) => unsafe {
                        (
                            n.part(from * stride, len * stride),
                            inverse.part(from, len),
                            Some(kept.part(from * hidden, len * hidden)),
                        )
                    },
                    None => {
                        rows = Buffer::<E>::any(len * stride);
                        inverse = Buffer::<f32>::any(len);
                        (&mut rows[..], &mut inverse[..], None)
                    }
                };
                normalise(out, width, self.shape.epsilon, n, stride, inverse);
                let mut activated = Buffer::<E>::any(len * hidden_stride);
                if !hidden.is_multiple_of(E::GROUP) {
                    // One number beyond each row meets the packed matrix's zeros.
                    activated.fill(E::default());
                }
                let linear = &self.c_fc;
                product(self.machine, len, n, stride, &linear.forward, |chunk| {
                    activate(
                        &chunk,
                        len,
                        &linear.bias,
                        self.shape.activation,
                        kept.as_deref_mut().map(|kept| (kept, hidden)),
                        &mut activated,
                        hidden_stride,
                    );
                });
                let linear = &self.c_proj;
                product(
                    self.machine,
                    len,
                    &activated,
                    hidden_stride,
                    &linear.forward,
                    |chunk| add(&chunk, len, &linear.bias, out, width),
                );
            });
        (out, trace)
    }

    fn attention<'a>(
        &self,
        layout: &'a Layout,
        projection: &'a Projection<E>,
        constant: Option<&'a Projection<E>>,
        shared: &'a [E],
    ) -> Attention<'a, E> {
        Attention {
            machine: self.machine,
            heads: self.shape.heads,
            head_dim: self.shape.width / self.shape.heads,
            layout,
            query: &projection.query,
            key_value: &projection.key_value,
            constant: constant.map_or(&[], |c| &c.key_value),
            shared,
        }
    }

    /// From the gradient of [`finish`](Self::finish)'s result to those of its `own` live rows and of
    /// its `mixed` rows.
    fn finish_backward(
        &self,
        from_above: &[f32],
        gradient: &mut [f32],
        second: &Normalised<E>,
        kept: &[E],
    ) -> Buffer<E> {
        let BlockShape { width, hidden, .. } = self.shape;
        let (stride, hidden_stride) = (self.stride(), self.hidden_stride());
        let live = gradient.len() / width;
        let mut mixed = Buffer::<E>::any(live * stride);
        let mixed_shares = Shares::new(&mut mixed);
        let shares = Shares::new(gradient);
        blocks(live, self.most_rows())
            .into_par_iter()
            .for_each(|block| {
                let (from, len) = (block.start, block.len());
                // SAFETY: the blocks are disjoint ranges of rows.
                let (gradient, mixed) = unsafe {
                    (
                        shares.part(from * width, len * width),
                        mixed_shares.part(from * stride, len * stride),
                    )
                };
                gradient.copy_from_slice(&from_above[from * width..(from + len) * width]);
                let mut rounded = Buffer::<E>::any(len * stride);
                round_rows(gradient, width, &mut rounded, stride);
                let mut inner = Buffer::<E>::any(len * hidden_stride);
                if !hidden.is_multiple_of(E::GROUP) {
                    inner.fill(E::default());
                }
                let kept = &kept[from * hidden..(from + len) * hidden];
                let back = self.c_proj.backward(self.machine);
                product(self.machine, len, &rounded, stride, back, |chunk| {
                    activate_backward(
                        &chunk,
                        len,
                        self.shape.activation,
                        kept,
                        hidden,
                        &mut inner,
                        hidden_stride,
                    );
                });
                let mut sums = Buffer::<f32>::any(len * width);
                let back = self.c_fc.backward(self.machine);
                product(self.machine, len, &inner, hidden_stride, back, |chunk| {
                    put(&chunk, len, false, &mut sums, width);
                });
                normalise_backward(
                    &sums,
                    width,
                    &second.rows[from * stride..],
                    stride,
                    &second.inverse[from..],
                    gradient,
                );
                round_rows(gradient, width, &mut rounded, stride);
                let back = self.out_proj.backward(self.machine);
                let none = vec![0.0; width];
                product(self.machine, len, &rounded, stride, back, |chunk| {
                    store(&chunk, len, &none, mixed, stride);
                });
            });
        mixed
    }

    /// From the gradients of keys and values `[rows, ..]`, and of queries where there are some, to
    /// those of the rows, on top of `around` where it is given, else of what is in `out`.
    fn project_backward(
        &self,
        key_value: &[E],
        query: Option<(&[E], &Layout)>,
        normalised: &Normalised<E>,
        around: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let width = self.shape.width;
        let (stride, double_stride) = (self.stride(), padded(2 * width));
        let rows = out.len() / width;
        let shares = Shares::new(out);
        blocks(rows, self.most_rows())
            .into_par_iter()
            .for_each(|block| {
                let (from, len) = (block.start, block.len());
                // SAFETY: the blocks are disjoint ranges of rows.
                let out = unsafe { shares.part(from * width, len * width) };
                if let Some(around) = around {
                    out.copy_from_slice(&around[from * width..(from + len) * width]);
                }
                let mut sums = Buffer::<f32>::any(len * width);
                let key_value = &key_value[from * double_stride..(from + len) * double_stride];
                let back = self.key_value.backward(self.machine);
                product(self.machine, len, key_value, double_stride, back, |chunk| {
                    put(&chunk, len, false, &mut sums, width);
                });
                match query {
                    None => {}
                    Some((query, layout)) if layout.live().is_none() => {
                        let query = &query[from * stride..(from + len) * stride];
                        let back = self.query.backward(self.machine);
                        product(self.machine, len, query, stride, back, |chunk| {
                            put(&chunk, len, true, &mut sums, width);
                        });
                    }
                    Some((query, layout)) => {
                        let list = layout.live().unwrap_or_default();
                        let first = list.partition_point(|row| *row < block.start);
                        let last = list.partition_point(|row| *row < block.end);
                        let n = last - first;
                        let mut few = Buffer::<f32>::any(n * width);
                        let query = &query[first * stride..last * stride];
                        let back = self.query.backward(self.machine);
                        product(self.machine, n, query, stride, back, |chunk| {
                            put(&chunk, n, false, &mut few, width);
                        });
                        for (row, few) in list[first..last].iter().zip(few.chunks_exact(width)) {
                            let sums = &mut sums[(row - from) * width..][..width];
                            for (sum, x) in sums.iter_mut().zip(few) {
                                *sum += x;
                            }
                        }
                    }
                }
                normalise_backward(
                    &sums,
                    width,
                    &normalised.rows[from * stride..],
                    stride,
                    &normalised.inverse[from..],
                    out,
                );
            });
    }
}

/// A projection that another block made, or the same in another precision, is a mistake of the
/// caller.
fn projection<E: Element>(projected: &Projected) -> Arc<Projection<E>> {
    Arc::clone(&projected.of)
        .downcast()
        .unwrap_or_else(|_| panic!("projected rows of another precision"))
}

impl<E: Tiled> Kernel for Block<E> {
    fn project(&self, rows: &[f32]) -> Projected {
        let width = self.shape.width;
        let n = rows.len() / width;
        let mut query = Buffer::any(n * width);
        let mut key_value = Buffer::any(n * 2 * width);
        self.normalise_and_project(rows, Some(&mut query), &mut key_value);
        Projected {
            rows: n,
            of: Arc::new(Projection { query, key_value }),
        }
    }

    fn forward(
        &self,
        own: &[f32],
        shared: &[f32],
        around: Around,
        traced: bool,
    ) -> (Vec<f32>, Option<Trace>) {
        let width = self.shape.width;
        let layout = around.layout;
        let rows = layout.rows();
        assert_eq!(own.len(), rows * width, "rows of the layout");
        assert!(shared.len().is_multiple_of(width), "shared rows");

        let (projection, own_normalised) = match around.given {
            Some(given) => {
                assert_eq!(given.rows, rows, "rows of the layout");
                let given = projection::<E>(given);
                let few = layout.live().map(|_| {
                    let mut query = Buffer::any(layout.live_rows() * width);
                    gather(
                        &given.query,
                        width,
                        0..layout.live_rows(),
                        layout,
                        &mut query,
                    );
                    let mut key_value = Buffer::any(given.key_value.len());
                    key_value.copy_from_slice(&given.key_value);
                    Arc::new(Projection { query, key_value })
                });
                (few.unwrap_or(given), None)
            }
            None => {
                let mut key_value = Buffer::any(rows * 2 * width);
                let (query, normalised) = if layout.live().is_some() {
                    let normalised = self.normalise_and_project(own, None, &mut key_value);
                    (self.few_queries(&normalised.rows, layout), normalised)
                } else {
                    let mut query = Buffer::any(rows * width);
                    let normalised =
                        self.normalise_and_project(own, Some(&mut query), &mut key_value);
                    (query, normalised)
                };
                (Arc::new(Projection { query, key_value }), Some(normalised))
            }
        };
        let mut shared_key_value = Buffer::any(shared.len() * 2);
        let shared_normalised = (!shared.is_empty())
            .then(|| self.normalise_and_project(shared, None, &mut shared_key_value));

        let stride = self.stride();
        let mut mixed = Buffer::<E>::any(layout.live_rows() * stride);
        if !width.is_multiple_of(E::GROUP) {
            mixed.fill(E::default());
        }
        let constant = around.constant.map(self::projection::<E>);
        self.attention(layout, &projection, constant.as_deref(), &shared_key_value)
            .forward(&mut mixed, stride);
        let (out, trace) = self.finish(own, &mixed, layout, traced);
        let trace = trace.map(|(second, hidden)| {
            Trace(Box::new(TraceOf {
                own: own_normalised,
                shared: shared_normalised,
                projection,
                shared_key_value,
                second,
                hidden,
            }))
        });
        (out, trace)
    }

    fn backward(
        &self,
        gradient: &[f32],
        trace: Trace,
        around: Around,
        own_wanted: bool,
    ) -> Vec<f32> {
        let width = self.shape.width;
        let (stride, double_stride) = (self.stride(), padded(2 * width));
        let layout = around.layout;
        let rows = layout.rows();
        let live = layout.live_rows();
        let trace: Box<TraceOf<E>> = trace
            .0
            .downcast()
            .unwrap_or_else(|_| panic!("a trace of another precision"));
        let mut around_rows = Buffer::<f32>::any(live * width);
        let mixed = self.finish_backward(gradient, &mut around_rows, &trace.second, &trace.hidden);

        let own_rows = if own_wanted { rows } else { 0 };
        let mut query = Buffer::<E>::any(if own_wanted { live * stride } else { 0 });
        let mut key_value = Buffer::<E>::any(own_rows * double_stride);
        if !width.is_multiple_of(E::GROUP) {
            query.fill(E::default());
        }
        let mut shared_sums = Buffer::<f32>::any(trace.shared_key_value.len());
        let constant = around.constant.map(projection::<E>);
        self.attention(
            layout,
            &trace.projection,
            constant.as_deref(),
            &trace.shared_key_value,
        )
        .backward(
            &mixed,
            stride,
            AttentionGradients {
                own: own_wanted.then_some(OwnGradients {
                    query: &mut query,
                    query_stride: stride,
                    key_value: &mut key_value,
                    key_value_stride: double_stride,
                }),
                shared: &mut shared_sums,
            },
        );

        let shared_rows = shared_sums.len() / (2 * width);
        let mut out = vec![0.0f32; (own_rows + shared_rows) * width];
        let (own_out, shared_out) = out.split_at_mut(own_rows * width);
        if own_wanted {
            if let Some(list) = layout.live() {
                for (row, values) in list.iter().zip(around_rows.chunks_exact(width)) {
                    own_out[row * width..(row + 1) * width].copy_from_slice(values);
                }
            }
            let all_live = layout.live().is_none().then_some(&around_rows[..]);
            let normalised = trace
                .own
                .as_ref()
                .unwrap_or_else(|| panic!("rows whose projection was given have no gradient"));
            self.project_backward(
                &key_value,
                Some((&query, layout)),
                normalised,
                all_live,
                own_out,
            );
        }
        if let Some(normalised) = &trace.shared {
            let mut rounded = Buffer::<E>::any(shared_rows * double_stride);
            round_rows(&shared_sums, 2 * width, &mut rounded, double_stride);
            self.project_backward(&rounded, None, normalised, None, shared_out);
        }
        out
    }

    fn shape(&self) -> BlockShape {
        self.shape
    }

    fn precision(&self) -> Precision {
        if E::GROUP == 1 {
            Precision::F32
        } else {
            Precision::Bf16
        }
    }
}
