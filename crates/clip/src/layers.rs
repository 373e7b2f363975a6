//! The three building layers of both towers: linear, layer normalisation, activation.

use std::collections::BTreeMap;

use burn::tensor::activation::{gelu, sigmoid};
use burn::tensor::module::{layer_norm, linear};
use burn::tensor::{Device, Tensor, TensorData};

use promptsrc_kernels::{BlockWeights, FrozenBlock, Precision};

use crate::block::BlockShape;
use crate::weights::{Activation, ClipConfig, ClipWeights, WeightError};

/// Gives named weights to the towers, in the form that their layers want, on one device.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
    device: &'a Device,
    /// Of the kernels; none where the blocks are to be plain tensor operations.
    frozen: Option<Precision>,
}

enum Source<'a> {
    File(&'a ClipWeights),
    /// Flat tensors by name, and the shapes of all.
    Tensors(BTreeMap<String, Vec<usize>>, &'a dyn Fn(&str) -> Tensor<1>),
}

impl<'a> Reader<'a> {
    /// Of a weight file; with a precision the blocks are the kernels' frozen ones.
    pub fn of_file(
        weights: &'a ClipWeights,
        device: &'a Device,
        frozen: Option<Precision>,
    ) -> Self {
        Self {
            source: Source::File(weights),
            device,
            frozen,
        }
    }

    /// Of tensors in memory; what is computed with them can be differentiated by them.
    pub fn of_tensors(
        config: &ClipConfig,
        tensors: &'a dyn Fn(&str) -> Tensor<1>,
        device: &'a Device,
    ) -> Self {
        Self {
            source: Source::Tensors(config.tensors().into_iter().collect(), tensors),
            device,
            frozen: None,
        }
    }

    /// Extent of an axis. A tensor that is not there is an error where it is read.
    fn extent(&self, name: &str, axis: usize) -> usize {
        let shape = match &self.source {
            Source::File(weights) => weights.shape(name),
            Source::Tensors(shapes, _) => shapes.get(name).map(Vec::as_slice),
        };
        shape.and_then(|s| s.get(axis)).copied().unwrap_or(1)
    }

    /// A vector `[n]`.
    pub fn vector(&self, name: &str) -> Result<Tensor<1>, WeightError> {
        Ok(match &self.source {
            Source::File(weights) => {
                let values = weights.f32(name)?;
                let shape = [values.len()];
                Tensor::from_data(TensorData::new(values, shape), self.device)
            }
            Source::Tensors(_, tensor) => tensor(name),
        })
    }

    /// A matrix as the file has it, `[rows, columns]`; further axes are folded into the columns.
    pub fn matrix(&self, name: &str) -> Result<Tensor<2>, WeightError> {
        let rows = self.extent(name, 0);
        let flat = self.vector(name)?;
        let columns = flat.dims()[0] / rows.max(1);
        Ok(flat.reshape([rows, columns]))
    }

    /// Rows `from..to` of a PyTorch linear layer (`[outputs, inputs]`), as a [`Linear`].
    fn linear_rows(
        &self,
        weight: &str,
        bias: &str,
        rows: std::ops::Range<usize>,
    ) -> Result<Linear, WeightError> {
        let inputs = self.extent(weight, 1);
        let outputs = rows.len();
        let weight = match &self.source {
            // Transposed once, so that the products find their operand in its best order.
            Source::File(weights) => {
                let all = weights.f32(weight)?;
                let part = &all[rows.start * inputs..rows.end * inputs];
                let mut transposed = vec![0.0; part.len()];
                for (o, row) in part.chunks_exact(inputs).enumerate() {
                    for (i, value) in row.iter().enumerate() {
                        transposed[i * outputs + o] = *value;
                    }
                }
                Tensor::from_data(TensorData::new(transposed, [inputs, outputs]), self.device)
            }
            Source::Tensors(..) => self
                .matrix(weight)?
                .slice([rows.clone(), 0..inputs])
                .transpose(),
        };
        let bias = self.vector(bias)?;
        let bias = if bias.dims() == [outputs] {
            bias
        } else {
            bias.slice([rows])
        };
        Ok(Linear { weight, bias })
    }

    /// A PyTorch linear layer `<name>weight` and `<name>bias`.
    pub fn linear(&self, name: &str) -> Result<Linear, WeightError> {
        let weight = format!("{name}.weight");
        let outputs = self.extent(&weight, 0);
        self.linear_rows(&weight, &format!("{name}.bias"), 0..outputs)
    }

    /// The joint query/key/value projection of an attention layer, taken apart into the queries'
    /// part and the keys' and values' part: some rows give keys and values only.
    pub fn query_key_value(
        &self,
        name: &str,
        width: usize,
    ) -> Result<(Linear, Linear), WeightError> {
        let weight = format!("{name}.in_proj_weight");
        let bias = format!("{name}.in_proj_bias");
        Ok((
            self.linear_rows(&weight, &bias, 0..width)?,
            self.linear_rows(&weight, &bias, width..3 * width)?,
        ))
    }

    /// The block `<name>` for the kernels, if the blocks are to be theirs.
    pub fn frozen_block(
        &self,
        name: &str,
        shape: BlockShape,
    ) -> Result<Option<FrozenBlock>, WeightError> {
        let (Some(precision), Source::File(weights)) = (self.frozen, &self.source) else {
            return Ok(None);
        };
        let read = |part: &str| weights.f32(&format!("{name}.{part}"));
        let pair = |part: &str| {
            Ok::<_, WeightError>([
                read(&format!("{part}.weight"))?,
                read(&format!("{part}.bias"))?,
            ])
        };
        let in_proj = [read("attn.in_proj_weight")?, read("attn.in_proj_bias")?];
        let (ln_1, ln_2) = (pair("ln_1")?, pair("ln_2")?);
        let out_proj = pair("attn.out_proj")?;
        let (c_fc, c_proj) = (pair("mlp.c_fc")?, pair("mlp.c_proj")?);
        fn slices(pair: &[Vec<f32>; 2]) -> [&[f32]; 2] {
            pair.each_ref().map(Vec::as_slice)
        }
        let shape = promptsrc_kernels::BlockShape {
            width: shape.width,
            heads: shape.heads,
            hidden: c_fc[1].len(),
            activation: match shape.activation {
                Activation::QuickGelu => promptsrc_kernels::Activation::QuickGelu,
                Activation::Gelu => promptsrc_kernels::Activation::Gelu,
            },
            epsilon: shape.epsilon as f32,
        };
        let weights = BlockWeights {
            ln_1: slices(&ln_1),
            in_proj: slices(&in_proj),
            out_proj: slices(&out_proj),
            ln_2: slices(&ln_2),
            c_fc: slices(&c_fc),
            c_proj: slices(&c_proj),
        };
        Ok(Some(FrozenBlock::new(shape, precision, weights)))
    }

    /// A layer normalisation `<name>.weight`, `<name>.bias`.
    pub fn layer_norm(&self, name: &str, epsilon: f64) -> Result<LayerNorm, WeightError> {
        Ok(LayerNorm {
            weight: self.vector(&format!("{name}.weight"))?,
            bias: self.vector(&format!("{name}.bias"))?,
            epsilon,
        })
    }
}

/// `x W + b`, with `W` stored `[inputs, outputs]`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl Linear {
    /// `[rows, inputs]` -> `[rows, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        linear(x, self.weight.clone(), Some(self.bias.clone()))
    }
}

/// Layer normalisation over the last axis.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
}

impl LayerNorm {
    /// `[rows, width]` -> `[rows, width]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        layer_norm(
            x,
            self.weight.clone(),
            Some(self.bias.clone()),
            self.epsilon,
        )
    }
}

/// The activation between the two linear layers of a block's MLP.
pub(crate) fn activate(kind: Activation, x: Tensor<2>) -> Tensor<2> {
    match kind {
        Activation::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
        Activation::Gelu => gelu(x),
    }
}
