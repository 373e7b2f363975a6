//! Multi-head attention over each sequence's own rows and rows that all sequences share.

use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor, TensorData};

/// Keys and values of a set of rows, taken apart into heads.
#[derive(Clone, Debug)]
pub(crate) struct KeyValue {
    /// `[sequences, heads, rows, head_dim]`; one sequence where the rows are shared.
    key: Tensor<4>,
    value: Tensor<4>,
}

impl KeyValue {
    /// From `[sequences * rows, 2 * width]`, keys in the first half.
    pub fn new(joint: Tensor<2>, sequences: usize, heads: usize) -> Self {
        let [rows, double] = joint.dims();
        let width = double / 2;
        let key = joint.clone().slice([0..rows, 0..width]);
        let value = joint.slice([0..rows, width..double]);
        Self {
            key: split_heads(key, sequences, heads),
            value: split_heads(value, sequences, heads),
        }
    }
}

/// `[sequences * rows, width]` -> `[sequences, heads, rows, width / heads]`.
pub(crate) fn split_heads(x: Tensor<2>, sequences: usize, heads: usize) -> Tensor<4> {
    let [all, width] = x.dims();
    x.reshape([sequences, all / sequences, heads, width / heads])
        .swap_dims(1, 2)
}

fn merge_heads(x: Tensor<4>) -> Tensor<2> {
    let [sequences, heads, rows, head_dim] = x.dims();
    x.swap_dims(1, 2)
        .reshape([sequences * rows, heads * head_dim])
}

/// Scaled dot-product attention of `query` `[sequences, heads, queries, head_dim]` over its own
/// sequence's rows and, where given, over `shared` rows that every sequence sees whole.
///
/// `mask` is added to the scores of the own rows (`-inf` hides one); it broadcasts over
/// `[sequences, heads, queries, rows]`. Returns `[sequences * queries, width]`.
///
/// The shared rows' keys meet the queries of all sequences in one product: `sequences` times
/// less memory traffic than repeating them for each sequence, and the same numbers.
pub(crate) fn attend(
    query: Tensor<4>,
    own: &KeyValue,
    shared: Option<&KeyValue>,
    mask: Option<Tensor<4>>,
) -> Tensor<2> {
    let [sequences, heads, queries, head_dim] = query.dims();
    let query = query.mul_scalar(1.0 / (head_dim as f64).sqrt());
    let mut own_scores = query.clone().matmul(own.key.clone().swap_dims(2, 3));
    if let Some(mask) = mask {
        own_scores = own_scores + mask;
    }
    let Some(shared) = shared else {
        return merge_heads(softmax(own_scores, 3).matmul(own.value.clone()));
    };

    let [_, _, shared_rows, _] = shared.key.dims();
    let [_, _, _, own_rows] = own_scores.dims();
    // [1, heads, sequences * queries, head_dim]
    let flat = query
        .swap_dims(0, 1)
        .reshape([1, heads, sequences * queries, head_dim]);
    let shared_scores = flat
        .matmul(shared.key.clone().swap_dims(2, 3))
        .reshape([heads, sequences, queries, shared_rows])
        .swap_dims(0, 1);
    let weights = softmax(Tensor::cat(vec![shared_scores, own_scores], 3), 3);
    let on_shared = weights
        .clone()
        .slice([0..sequences, 0..heads, 0..queries, 0..shared_rows])
        .swap_dims(0, 1)
        .reshape([1, heads, sequences * queries, shared_rows])
        .matmul(shared.value.clone())
        .reshape([heads, sequences, queries, head_dim])
        .swap_dims(0, 1);
    let on_own = weights
        .slice([
            0..sequences,
            0..heads,
            0..queries,
            shared_rows..shared_rows + own_rows,
        ])
        .matmul(own.value.clone());
    merge_heads(on_shared + on_own)
}

/// A mask `[sequences or 1, 1, queries, rows]` that hides the rows for which `sees` is false.
pub(crate) fn mask(
    shape: [usize; 4],
    device: &burn::tensor::Device,
    sees: impl Fn(usize, usize, usize) -> bool,
) -> Tensor<4> {
    let [sequences, heads, queries, rows] = shape;
    debug_assert_eq!(heads, 1);
    let mut values = Vec::with_capacity(sequences * queries * rows);
    for s in 0..sequences {
        for q in 0..queries {
            for r in 0..rows {
                values.push(if sees(s, q, r) {
                    0.0f32
                } else {
                    f32::NEG_INFINITY
                });
            }
        }
    }
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Row numbers as an index tensor `[n]`.
pub(crate) fn indices(rows: &[usize], device: &burn::tensor::Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.iter().map(|r| *r as i64).collect();
    let n = rows.len();
    Tensor::from_data(TensorData::new(rows, [n]), device)
}
