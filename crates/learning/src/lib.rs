//! What every training needs, of prompts and of heads: stochastic gradient descent as in PyTorch, and
//! random numbers that depend on a seed and a name alone.

pub mod random;
pub mod sgd;
