//! CPU kernels for a frozen transformer: forward and backward of a whole residual attention block.
//!
//! The weights never change, so they are packed once, in the layout that the products want, and no
//! gradient of a weight is ever formed. A [`FrozenBlock`] maps rows to rows; which rows attend to
//! which, and which outputs anybody reads, is said by a [`Layout`]. Numbers in, numbers out: nothing
//! here knows of images, texts or prompts.
//!
//! The block is a backend extension on Burn's Flex with a backward pass of its own
//! ([`FrozenBlock::forward`] works on tensors with and without gradients); results do not depend on
//! the number of threads.

mod activation;
mod attention;
mod block;
mod element;
mod elementwise;
mod extension;
mod layout;
mod machine;
mod microkernel;
mod packed;
mod precision;
mod product;
mod scratch;

pub use activation::Activation;
pub use block::{BlockShape, BlockWeights, FrozenBlock, Projected};
pub use layout::Layout;
pub use machine::Machine;
pub use precision::{Precision, PrecisionError};
pub use product::ceiling;
