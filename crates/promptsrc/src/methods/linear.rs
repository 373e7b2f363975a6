//! Linear layers among the parameters, as in PyTorch: `<name>.weight` and `<name>.bias`.

use burn::tensor::Tensor;

use crate::parameters::Leaves;

/// Names and shapes of a layer's parameters: `[outputs, inputs]` and `[outputs]`.
pub(super) fn linear_shapes(
    name: &str,
    inputs: usize,
    outputs: usize,
) -> [(String, Vec<usize>); 2] {
    [
        (format!("{name}.weight"), vec![outputs, inputs]),
        (format!("{name}.bias"), vec![outputs]),
    ]
}

/// `x W^T + b`: `[rows, inputs]` -> `[rows, outputs]`; `None` if there is no such layer.
pub(super) fn apply_linear(parameters: &Leaves, name: &str, x: Tensor<2>) -> Option<Tensor<2>> {
    let weight: Tensor<2> = parameters.get(&format!("{name}.weight"))?; // [outputs, inputs]
    let bias: Tensor<1> = parameters.get(&format!("{name}.bias"))?; // [outputs]
    Some(x.matmul(weight.transpose()) + bias.unsqueeze()) // [rows, outputs]
}
