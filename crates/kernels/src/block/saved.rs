//! The activations that a forward pass saves for the backward pass.

use std::sync::Arc;

use crate::buffer::Buffer;
use crate::element::Element;

/// Layer-normalised rows.
pub(crate) struct Normalised<E: Element> {
    /// `[rows, stride]`.
    pub rows: Buffer<E>,
    /// One over the standard deviation of each row, `[rows]`.
    pub inverse_std: Buffer<f32>,
}

/// Queries, keys and values of rows.
#[derive(Clone, Debug)]
pub(crate) struct Projection<E: Element> {
    /// `[rows, width]`.
    pub query: Arc<Buffer<E>>,
    /// Keys and values side by side, `[rows, 2 * width]`.
    pub key_value: Arc<Buffer<E>>,
}

/// What the backward pass after the attention needs.
pub(crate) struct SavedMlp<E: Element> {
    /// The MLP's input, `[outputs, stride]`.
    pub normalised: Normalised<E>,
    /// What its activation was applied to, `[outputs, hidden]`.
    pub hidden: Buffer<E>,
}

/// What the backward pass of a whole block needs.
pub(crate) struct SavedActivations<E: Element> {
    /// The own rows, normalised; none where their projection was given to the call.
    pub own: Option<Normalised<E>>,
    /// The shared rows, normalised; none where there are none.
    pub shared: Option<Normalised<E>>,
    /// Queries of the output rows, `[outputs, width]`; keys and values of all own rows,
    /// `[rows, 2 * width]`. None where they are to be computed again.
    pub projection: Option<Projection<E>>,
    /// Keys and values of the shared rows, `[shared rows, 2 * width]`.
    pub shared_key_value: Buffer<E>,
    pub mlp: SavedMlp<E>,
}
