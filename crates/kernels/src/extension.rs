//! The block as an operation of Burn: on the Flex backend, and under autodiff with a backward pass
//! of its own.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};

use crate::block::{BlockCall, FrozenBlock, Projected};
use crate::layout::Layout;

impl FrozenBlock {
    /// Output rows `[outputs, width]` from the rows `own` `[rows, width]` of the layout's sequences
    /// and rows `shared` `[shared rows, width]` that every sequence attends to. Differentiable by
    /// both.
    ///
    /// `constant` rows are attended to by every sequence too, before the shared ones. Where
    /// `own_projection`, the projection of the own rows, is given, it is not computed; then the own
    /// rows have no gradient.
    ///
    /// # Panics
    /// If a shape does not match the layout or the block, a projection was made by a block of
    /// another precision, or the tensors are not on Flex.
    pub fn forward(
        &self,
        own: Tensor<2>,
        shared: Option<Tensor<2>>,
        layout: &Arc<Layout>,
        constant: Option<&Projected>,
        own_projection: Option<&Projected>,
    ) -> Tensor<2> {
        let call = BlockCall::new(self, layout, constant, own_projection);
        let own = own.into_dispatch();
        Tensor::from_dispatch(match shared {
            Some(shared) => Dispatch::block_sharing(own, shared.into_dispatch(), call),
            None => Dispatch::block(own, call),
        })
    }
}

/// What a backend computes of a block.
#[backend_extension(Flex, Autodiff)]
pub trait BlockOps: Backend {
    /// A block without shared rows.
    fn block(own: FloatTensor<Self>, call: BlockCall) -> FloatTensor<Self>;

    /// A block with shared rows.
    fn block_sharing(
        own: FloatTensor<Self>,
        shared: FloatTensor<Self>,
        call: BlockCall,
    ) -> FloatTensor<Self>;

    /// Gradients of the own rows (none unless they are wanted), and of the shared rows. They are apart,
    /// because those of the shared rows live until the end of the backward pass.
    fn block_backward(
        gradient: FloatTensor<Self>,
        call: BlockCall,
        own_wanted: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
}

fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice::<f32>()
        .unwrap_or_else(|| panic!("f32 rows are needed, not {:?}", tensor.dtype()))
}

fn rows_of(values: Vec<f32>, width: usize) -> FlexTensor {
    let rows = values.len() / width;
    FlexTensor::from_data(TensorData::new(values, [rows, width]))
}

fn run(own: &FlexTensor, shared: Option<&FlexTensor>, call: &BlockCall) -> FlexTensor {
    let own = own.to_contiguous();
    let shared = shared.map(FlexTensor::to_contiguous);
    let out = call.forward(numbers(&own), shared.as_ref().map_or(&[], numbers));
    rows_of(out, call.width())
}

impl BlockOps for Flex {
    fn block(own: FloatTensor<Self>, call: BlockCall) -> FloatTensor<Self> {
        run(&own, None, &call)
    }

    fn block_sharing(
        own: FloatTensor<Self>,
        shared: FloatTensor<Self>,
        call: BlockCall,
    ) -> FloatTensor<Self> {
        run(&own, Some(&shared), &call)
    }

    fn block_backward(
        gradient: FloatTensor<Self>,
        call: BlockCall,
        own_wanted: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let gradient = gradient.to_contiguous();
        let (own, shared) = call.backward(numbers(&gradient), own_wanted);
        (rows_of(own, call.width()), rows_of(shared, call.width()))
    }
}

#[derive(Debug)]
struct BlockBackward;

impl<B: BlockOps> Backward<B, 1> for BlockBackward {
    type State = BlockCall;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<B>(&ops.node);
        let [own] = ops.parents;
        if let Some(own) = own {
            let (of_own, _) = B::block_backward(gradient, ops.state, true);
            gradients.register::<B>(own.id, of_own);
        }
    }
}

impl<B: BlockOps> Backward<B, 2> for BlockBackward {
    type State = BlockCall;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<B>(&ops.node);
        let [own, shared] = ops.parents;
        let (of_own, of_shared) = B::block_backward(gradient, ops.state, own.is_some());
        if let Some(own) = own {
            gradients.register::<B>(own.id, of_own);
        }
        if let Some(shared) = shared {
            gradients.register::<B>(shared.id, of_shared);
        }
    }
}

impl<B: BlockOps, C: CheckpointStrategy> BlockOps for Autodiff<B, C> {
    fn block(own: FloatTensor<Self>, call: BlockCall) -> FloatTensor<Self> {
        let prepared = Backward::<B, 1>::prepare::<C>(BlockBackward, [own.node()]);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let call = call.saving();
                let out = B::block(own.into_primitive(), call.clone());
                prepared.finish(call, out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::block(own.into_primitive(), call)),
        }
    }

    fn block_sharing(
        own: FloatTensor<Self>,
        shared: FloatTensor<Self>,
        call: BlockCall,
    ) -> FloatTensor<Self> {
        let nodes = [own.node(), shared.node()];
        let prepared = Backward::<B, 2>::prepare::<C>(BlockBackward, nodes);
        let (own, shared) = (own.into_primitive(), shared.into_primitive());
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let call = call.saving();
                let out = B::block_sharing(own, shared, call.clone());
                prepared.finish(call, out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::block_sharing(own, shared, call)),
        }
    }

    /// There is no gradient of a gradient.
    fn block_backward(
        gradient: FloatTensor<Self>,
        call: BlockCall,
        own_wanted: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (of_own, of_shared) = (gradient.node(), gradient.node());
        let (own, shared) = B::block_backward(gradient.into_primitive(), call, own_wanted);
        let untracked = |node, out| {
            let prepared = Backward::<B, 1>::prepare::<C>(NoBackward, [node]);
            match prepared.compute_bound().stateful() {
                OpsKind::Tracked(_) => panic!("a block has no second derivative"),
                OpsKind::UnTracked(prepared) => prepared.finish(out),
            }
        };
        (untracked(of_own, own), untracked(of_shared, shared))
    }
}

#[derive(Debug)]
struct NoBackward;

impl<B: BlockOps> Backward<B, 1> for NoBackward {
    type State = ();

    fn backward(self, _: Ops<(), 1>, _: &mut Gradients, _: &mut Checkpointer) {
        panic!("a block has no second derivative");
    }
}
