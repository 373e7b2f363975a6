//! One call of a block in one number format: its forward pass and its backward pass.

use std::sync::{Arc, Mutex, PoisonError};

use crate::attention::{Attention, AttentionGradients, QkvGradients};
use crate::buffer::Buffer;
use crate::convert::round_rows;
use crate::layout::Layout;
use crate::microkernel::Microkernel;

use super::qkv::ProjectionGradients;
use super::rows::select_outputs;
use super::saved::{Projection, SavedActivations};
use super::typed::Block;

/// Most numbers of queries, keys and values that a call saves. Beyond them the backward pass computes them
/// again: an eighth of the products of both passes, for a third of what is saved.
pub(crate) const MOST_SAVED: usize = 4 << 20;

/// Everything that a call of a block is given apart from rows.
#[derive(Clone)]
pub(crate) struct Call<E: Microkernel> {
    pub block: Arc<Block<E>>,
    pub layout: Arc<Layout>,
    /// Of rows that every sequence attends to and that have no gradient.
    pub constant: Option<Projection<E>>,
    /// Of the own rows, where it has been computed before.
    pub own_projection: Option<Projection<E>>,
    /// Where the forward pass leaves what the backward pass needs; none where there is no backward
    /// pass.
    pub saved: Option<Arc<Mutex<Option<SavedActivations<E>>>>>,
    /// See [`MOST_SAVED`].
    pub most_saved: usize,
}

impl<E: Microkernel> Call<E> {
    /// Output rows `[outputs, width]` from own rows `[rows, width]` and shared rows
    /// `[shared rows, width]`.
    pub fn forward(&self, own: &[f32], shared: &[f32]) -> Vec<f32> {
        let (block, layout) = (&*self.block, &*self.layout);
        let (width, stride) = (block.shape.width, block.stride());
        let rows = layout.rows();
        assert_eq!(own.len(), rows * width, "rows of the layout");
        assert!(shared.len().is_multiple_of(width), "shared rows");

        // Queries [outputs, width], keys and values [rows, 2 * width].
        let (projection, own_normalised) = match &self.own_projection {
            Some(given) => {
                assert_eq!(given.query.len(), rows * width, "rows of the layout");
                (select_queries(given, width, layout), None)
            }
            None => {
                let (projection, normalised) = block.project_for_outputs(own, layout);
                (projection, Some(normalised))
            }
        };
        // [shared rows, 2 * width]
        let mut shared_key_value = Buffer::unspecified(shared.len() * 2);
        let shared_normalised = (!shared.is_empty())
            .then(|| block.normalise_and_project(shared, None, &mut shared_key_value));

        // The attention's result, [outputs, stride].
        let mut attended = Buffer::<E>::unspecified(layout.outputs() * stride);
        if !width.is_multiple_of(E::GROUP) {
            attended.fill(E::default());
        }
        self.attention(&projection, &shared_key_value)
            .forward(&mut attended, stride);
        let (out, mlp) = block.after_attention(own, &attended, layout, self.saved.is_some());
        if let (Some(slot), Some(mlp)) = (&self.saved, mlp) {
            let numbers = projection.query.len() + projection.key_value.len();
            // Without the normalised rows the projection was given, and others keep it anyway.
            let is_saved = numbers <= self.most_saved || own_normalised.is_none();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(SavedActivations {
                own: own_normalised,
                shared: shared_normalised,
                projection: is_saved.then_some(projection),
                shared_key_value,
                mlp,
            });
        }
        out
    }

    /// Gradients of the own rows `[rows, width]` and of the shared rows `[shared rows, width]`, from the
    /// `gradient` of the output rows `[outputs, width]`. Those of the own rows are left out unless they
    /// are wanted.
    ///
    /// # Panics
    /// If no forward pass has saved its activations since the last backward pass, or gradients of
    /// the own rows are wanted that the forward pass did not project.
    pub fn backward(&self, gradient: &[f32], own_wanted: bool) -> (Vec<f32>, Vec<f32>) {
        let saved = self
            .saved
            .as_ref()
            .and_then(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).take())
            .unwrap_or_else(|| panic!("a forward pass has one backward pass"));
        let (block, layout) = (&*self.block, &*self.layout);
        let width = block.shape.width;
        let (stride, double_stride) = (block.stride(), block.double_stride());
        let outputs = layout.outputs();

        // Gradients of the output rows through the residual connections, [outputs, width], and of
        // the attention's result, [outputs, stride].
        let mut residual = Buffer::<f32>::unspecified(outputs * width);
        let attended = block.after_attention_backward(gradient, &saved.mlp, &mut residual);
        drop(saved.mlp);

        let own_rows = if own_wanted { layout.rows() } else { 0 };
        // [outputs, stride] and [own rows, double_stride]
        let mut query = Buffer::<E>::unspecified(if own_wanted { outputs * stride } else { 0 });
        let mut key_value = Buffer::<E>::unspecified(own_rows * double_stride);
        if !width.is_multiple_of(E::GROUP) {
            query.fill(E::default());
        }
        // [shared rows, 2 * width]
        let mut shared_sums = Buffer::<f32>::unspecified(saved.shared_key_value.len());
        let projection = match (saved.projection, &saved.own) {
            (Some(projection), _) => projection,
            (None, Some(normalised)) => block.project_again(normalised, layout),
            (None, None) => unreachable!("a projection that was given is saved"),
        };
        self.attention(&projection, &saved.shared_key_value)
            .backward(
                &attended,
                stride,
                AttentionGradients {
                    own: own_wanted.then_some(QkvGradients {
                        query: &mut query,
                        query_stride: stride,
                        key_value: &mut key_value,
                        key_value_stride: double_stride,
                    }),
                    shared: &mut shared_sums,
                },
            );
        drop(projection);

        let shared_rows = shared_sums.len() / (2 * width);
        let mut own_out = vec![0.0f32; own_rows * width];
        let mut shared_out = vec![0.0f32; shared_rows * width];
        if own_wanted {
            if let Some(list) = layout.output_rows() {
                for (row, values) in list.iter().zip(residual.chunks_exact(width)) {
                    own_out[row * width..(row + 1) * width].copy_from_slice(values);
                }
            }
            let residual = layout.output_rows().is_none().then_some(&residual[..]);
            let normalised = saved.own.as_ref().unwrap_or_else(|| {
                panic!("own rows whose projection was given to the call have no gradient")
            });
            let gradients = ProjectionGradients {
                key_value: &key_value,
                query: Some((&query, layout)),
            };
            block.project_backward(gradients, normalised, residual, &mut own_out);
        }
        if let Some(normalised) = &saved.shared {
            // [shared rows, double_stride]
            let mut rounded = Buffer::<E>::unspecified(shared_rows * double_stride);
            round_rows(
                block.set,
                &shared_sums,
                2 * width,
                &mut rounded,
                double_stride,
            );
            let gradients = ProjectionGradients {
                key_value: &rounded,
                query: None,
            };
            block.project_backward(gradients, normalised, None, &mut shared_out);
        }
        (own_out, shared_out)
    }

    fn attention<'a>(
        &'a self,
        projection: &'a Projection<E>,
        shared_key_value: &'a [E],
    ) -> Attention<'a, E> {
        let shape = self.block.shape;
        Attention {
            set: self.block.set,
            heads: shape.heads,
            head_dim: shape.width / shape.heads,
            layout: &self.layout,
            query: &projection.query,
            key_value: &projection.key_value,
            constant: self.constant.as_ref().map_or(&[], |c| &c.key_value),
            shared: shared_key_value,
        }
    }
}

/// The same projection with the queries of the output rows only, `[outputs, width]`.
fn select_queries<E: Microkernel>(
    projection: &Projection<E>,
    width: usize,
    layout: &Layout,
) -> Projection<E> {
    if layout.output_rows().is_none() {
        return projection.clone();
    }
    let outputs = layout.outputs();
    let mut query = Buffer::unspecified(outputs * width);
    select_outputs(&projection.query, width, 0..outputs, layout, &mut query);
    Projection {
        query: Arc::new(query),
        key_value: Arc::clone(&projection.key_value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::block::{BlockShape, BlockWeights};
    use crate::instruction_set::InstructionSet;

    #[test]
    fn what_is_computed_again_gives_the_same_bytes() {
        let shape = BlockShape {
            width: 24,
            heads: 3,
            hidden: 40,
            activation: Activation::QuickGelu,
            epsilon: 1e-5,
        };
        let numbers = |n: usize, seed: usize| -> Vec<f32> {
            let number = |i: usize| ((i + seed) * 7919 % 1009) as f32 / 1009.0 - 0.5;
            (0..n).map(number).collect()
        };
        let (ln, bias) = (numbers(24, 1), numbers(72, 2));
        let (in_proj, out_proj, mlp) = (
            numbers(72 * 24, 3),
            numbers(24 * 24, 4),
            numbers(40 * 24, 5),
        );
        let block = Arc::new(Block::<f32>::new(
            InstructionSet::detected(),
            shape,
            BlockWeights {
                ln_1: [&ln, &ln],
                in_proj: [&in_proj, &bias],
                out_proj: [&out_proj, &bias[..24]],
                ln_2: [&ln, &ln],
                c_fc: [&mlp, &bias[..40]],
                c_proj: [&mlp, &bias[..24]],
            },
        ));
        let layout = Layout::new([9, 30, 1, 17], true);
        let some = layout.clone().with_outputs(vec![8, 20, 38, 39, 56]);
        for layout in [layout, some] {
            let gradients = |most_saved| {
                let call = Call {
                    block: Arc::clone(&block),
                    layout: Arc::new(layout.clone()),
                    constant: None,
                    own_projection: None,
                    saved: Some(Arc::default()),
                    most_saved,
                };
                let out = call.forward(&numbers(57 * 24, 6), &numbers(2 * 24, 7));
                let slot = call.saved.as_ref().expect("it is to save");
                let saved = slot.lock().expect("nobody panicked");
                let has_projection = saved.as_ref().map(|s| s.projection.is_some());
                assert_eq!(has_projection, Some(most_saved > 0));
                drop(saved);
                call.backward(&numbers(out.len(), 8), true)
            };
            let (kept, again) = (gradients(MOST_SAVED), gradients(0));
            assert!(kept.0.iter().any(|x| *x != 0.0));
            assert_eq!(kept, again);
        }
    }
}
