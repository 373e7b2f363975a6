//! CPU kernels for a frozen transformer: forward and backward of a whole residual attention block.
//!
//! The weights never change, so they are packed once, in the order in which the products read them,
//! and no gradient of a weight is ever computed. A [`FrozenBlock`] maps rows to rows; a [`Layout`]
//! says which rows attend to which, and which rows' outputs are needed. Nothing here knows about
//! images, texts or prompts.
//!
//! The block is an extension of Burn's Flex backend with a backward pass of its own
//! ([`FrozenBlock::forward`] takes tensors with and without gradients). Results do not depend on the
//! number of threads.

mod activation;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod block;
mod buffer;
mod ceiling;
mod convert;
mod disjoint;
mod element;
mod epilogue;
mod extension;
mod instruction_set;
mod layer_norm;
mod layout;
mod microkernel;
mod packed;
mod portable;
mod precision;
mod product;
mod row_sum;
mod softmax;
mod tile;
mod vectorised;
mod vendor;

pub use activation::Activation;
pub use block::{BlockShape, BlockWeights, FrozenBlock, Projected};
pub use ceiling::ceiling;
pub use instruction_set::{CPU_VARIABLE, InstructionSet, InstructionSetError};
pub use layout::Layout;
pub use precision::{Precision, PrecisionError};
pub use vendor::{Vendor, processor_name};
