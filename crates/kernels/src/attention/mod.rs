//! Multi-head attention over sequences of different lengths, with rows that every sequence attends
//! to, forward and backward.
//!
//! One task computes one head of a group of sequences. The attention weights of only a few queries
//! at a time are in its working memory; the backward pass computes them again instead of reading
//! saved ones. All sums are `f32`. Weights and the gradients of scores are rounded where they are
//! operands of a product, except for the gradients of keys and values.

mod backward;
mod forward;
mod operands;
mod panels;

pub(crate) use backward::{AttentionGradients, QkvGradients};
pub(crate) use operands::Attention;
