//! A frozen residual attention block: weights packed once, rows in and rows out, and gradients of
//! the rows.
//!
//! The affine part of each layer normalisation is folded into the linear layer that follows it, so
//! that the normalised rows which the products read are also what the backward pass through the
//! normalisation needs.
//!
//! [`frozen`] is the interface, enums over the number formats; everything else is generic over one
//! format. [`call`] is a whole forward and backward pass; [`qkv`] is the part before the attention and
//! [`after_attention`] the part after it, each with its forward and its backward pass.

mod after_attention;
mod call;
mod frozen;
mod linear;
mod qkv;
mod rows;
mod saved;
mod shape;
mod typed;

pub(crate) use frozen::BlockCall;
pub use frozen::{FrozenBlock, Projected};
pub use shape::{BlockShape, BlockWeights};
