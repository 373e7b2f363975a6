//! What is done with tensors in several places.

use burn::tensor::Tensor;

/// Rows of the equal blocks in which the answers of images are computed, so that they do not depend on how many there are.
pub const BLOCK: usize = 8;

/// Rows divided by their Euclidean length.
pub fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().powi_scalar(2).sum_dim(1).sqrt(); // [rows, 1]
    x / length
}

/// A function of rows `[rows, inputs]` to rows `[rows, outputs]`, in blocks of [`BLOCK`] rows; the last row fills
/// up the last block. A product of matrices may sum in an order that depends on the number of its rows: like this
/// no row's numbers depend on how many others there are.
pub fn in_equal_blocks(x: Tensor<2>, rows_of: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
    let [rows, inputs] = x.dims();
    let blocks = (0..rows).step_by(BLOCK).map(|first| {
        let end = (first + BLOCK).min(rows);
        let block = x.clone().slice([first..end, 0..inputs]); // [up to BLOCK, inputs]
        let lack = BLOCK - (end - first);
        if lack == 0 {
            return rows_of(block);
        }
        let last = x
            .clone()
            .slice([end - 1..end, 0..inputs])
            .repeat_dim(0, lack);
        let whole = rows_of(Tensor::cat(vec![block, last], 0)); // [BLOCK, outputs]
        let outputs = whole.dims()[1];
        whole.slice([0..end - first, 0..outputs])
    });
    Tensor::cat(blocks.collect(), 0)
}

/// The values of a tensor, row-major, on the host.
///
/// # Panics
/// If the device fails.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec::<f32>()
        .unwrap_or_else(|e| panic!("the device gave no f32 values: {e:?}"))
}
