//! What is done with tensors in several places.

use burn::tensor::Tensor;

/// Rows divided by their Euclidean length.
pub fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().powi_scalar(2).sum_dim(1).sqrt(); // [rows, 1]
    x / length
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
