//! Multi-head attention over each sequence's own rows and rows that all sequences share.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

/// Keys and values of rows, split into heads.
#[derive(Clone, Debug)]
pub(crate) struct KeyValue {
    /// `[sequences, heads, rows, head_dim]`; one sequence where the rows are shared.
    key: Tensor<4>,
    /// As `key`.
    value: Tensor<4>,
}

impl KeyValue {
    /// From `[sequences * rows, 2 * width]`, keys in the first half.
    pub fn new(key_value: Tensor<2>, sequences: usize, heads: usize) -> Self {
        let [rows, double] = key_value.dims();
        let width = double / 2;
        let key = key_value.clone().slice([0..rows, 0..width]); // [sequences * rows, width]
        let value = key_value.slice([0..rows, width..double]); // [sequences * rows, width]
        Self {
            key: split_heads(key, sequences, heads),
            value: split_heads(value, sequences, heads),
        }
    }
}

/// `[sequences * rows, width]` -> `[sequences, heads, rows, head_dim]`.
pub(crate) fn split_heads(x: Tensor<2>, sequences: usize, heads: usize) -> Tensor<4> {
    let [all, width] = x.dims();
    let rows = all / sequences;
    x.reshape([sequences, rows, heads, width / heads]) // [sequences, rows, heads, head_dim]
        .swap_dims(1, 2) // [sequences, heads, rows, head_dim]
}

/// `[sequences, heads, rows, head_dim]` -> `[sequences * rows, width]`.
fn merge_heads(x: Tensor<4>) -> Tensor<2> {
    let [sequences, heads, rows, head_dim] = x.dims();
    x.swap_dims(1, 2) // [sequences, rows, heads, head_dim]
        .reshape([sequences * rows, heads * head_dim]) // [sequences * rows, width]
}

/// Scaled dot-product attention of `query` `[sequences, heads, queries, head_dim]` over its own
/// sequence's rows and, where given, over `shared` rows that every sequence sees whole. Returns
/// `[sequences * queries, width]`.
///
/// `mask` is added to the scores of the own rows (`-inf` hides one); it broadcasts over
/// `[sequences, heads, queries, rows]`.
pub(crate) fn attend(
    query: Tensor<4>,
    own: &KeyValue,
    shared: Option<&KeyValue>,
    mask: Option<Tensor<4>>,
) -> Tensor<2> {
    let [sequences, heads, queries, head_dim] = query.dims();
    let query = query.mul_scalar(1.0 / (head_dim as f64).sqrt());
    // [sequences, heads, queries, rows]
    let mut own_scores = query.clone().matmul(own.key.clone().swap_dims(2, 3));
    if let Some(mask) = mask {
        own_scores = own_scores + mask;
    }
    let Some(shared) = shared else {
        // [sequences, heads, queries, head_dim]
        let mixed = softmax(own_scores, 3).matmul(own.value.clone());
        return merge_heads(mixed);
    };

    let [.., own_rows] = own_scores.dims();
    let [_, _, shared_rows, _] = shared.key.dims();
    // [sequences, heads, queries, shared_rows]
    let shared_scores = times_shared(query, shared.key.clone().swap_dims(2, 3));
    // [sequences, heads, queries, shared_rows + rows]
    let weights = softmax(Tensor::cat(vec![shared_scores, own_scores], 3), 3);
    let part = |rows| {
        weights
            .clone()
            .slice([0..sequences, 0..heads, 0..queries, rows])
    };
    let on_shared = part(0..shared_rows); // [sequences, heads, queries, shared_rows]
    let on_own = part(shared_rows..shared_rows + own_rows); // [sequences, heads, queries, rows]
    // [sequences, heads, queries, head_dim]
    let mixed = times_shared(on_shared, shared.value.clone()) + on_own.matmul(own.value.clone());
    merge_heads(mixed)
}

/// The product of every sequence's rows `[sequences, heads, rows, inputs]` with a matrix that all
/// share, `[1, heads, inputs, outputs]`: `[sequences, heads, rows, outputs]`.
///
/// All sequences in one product: the same numbers as with the matrix repeated for each sequence,
/// and `sequences` times less memory traffic.
fn times_shared(x: Tensor<4>, shared: Tensor<4>) -> Tensor<4> {
    let [sequences, heads, rows, inputs] = x.dims();
    let [_, _, _, outputs] = shared.dims();
    x.swap_dims(0, 1) // [heads, sequences, rows, inputs]
        .reshape([1, heads, sequences * rows, inputs]) // [1, heads, sequences * rows, inputs]
        .matmul(shared) // [1, heads, sequences * rows, outputs]
        .reshape([heads, sequences, rows, outputs]) // [heads, sequences, rows, outputs]
        .swap_dims(0, 1) // [sequences, heads, rows, outputs]
}
