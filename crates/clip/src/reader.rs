//! Named weights, in the form that the layers of the towers want.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_kernels::{BlockShape, BlockWeights, FrozenBlock, Precision};

use crate::layers::{LayerNorm, Linear};
use crate::tensors::values;
use crate::token_embedding::TokenEmbedding;
use crate::weights::{ClipConfig, ClipWeights, WeightError};

/// Reads named weights onto one device.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
    device: &'a Device,
}

enum Source<'a> {
    File(&'a ClipWeights),
    /// The shapes of all tensors, and the tensors themselves, flat, by name.
    Tensors(BTreeMap<String, Vec<usize>>, &'a dyn Fn(&str) -> Tensor<1>),
}

impl<'a> Reader<'a> {
    /// Of a weight file.
    pub fn of_file(weights: &'a ClipWeights, device: &'a Device) -> Self {
        Self {
            source: Source::File(weights),
            device,
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
        }
    }

    /// Length of an axis. A tensor that is missing is an error where it is read.
    fn axis(&self, name: &str, axis: usize) -> usize {
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
        let rows = self.axis(name, 0);
        let flat = self.vector(name)?;
        let columns = flat.dims()[0] / rows.max(1);
        Ok(flat.reshape([rows, columns]))
    }

    /// Token embeddings `[vocab_size, width]`; of a file, they stay on the host.
    pub fn token_embedding(&self, name: &str) -> Result<TokenEmbedding, WeightError> {
        Ok(match &self.source {
            Source::File(weights) => TokenEmbedding::Table {
                numbers: Arc::new(weights.compact(name)?),
                width: self.axis(name, 1),
                device: self.device.clone(),
            },
            Source::Tensors(..) => TokenEmbedding::Tensor(self.matrix(name)?),
        })
    }

    /// A PyTorch linear layer, `<name>.weight` and `<name>.bias`.
    pub fn linear(&self, name: &str) -> Result<Linear, WeightError> {
        let weight = format!("{name}.weight");
        let outputs = self.axis(&weight, 0);
        self.linear_rows(&weight, &format!("{name}.bias"), 0..outputs)
    }

    /// The joint qkv projection of an attention layer in two parts, query and key with value:
    /// some rows need no query.
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

    /// Some rows of a PyTorch linear layer (`[outputs, inputs]`), as a [`Linear`].
    fn linear_rows(
        &self,
        weight: &str,
        bias: &str,
        rows: Range<usize>,
    ) -> Result<Linear, WeightError> {
        let inputs = self.axis(weight, 1);
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

    /// A layer normalisation, `<name>.weight` and `<name>.bias`.
    pub fn layer_norm(&self, name: &str, epsilon: f32) -> Result<LayerNorm, WeightError> {
        Ok(LayerNorm {
            weight: self.vector(&format!("{name}.weight"))?,
            bias: self.vector(&format!("{name}.bias"))?,
            epsilon: epsilon.into(),
        })
    }

    /// The block `<name>` (`transformer.resblocks.3`), packed for the kernels.
    pub fn frozen_block(
        &self,
        name: &str,
        shape: BlockShape,
        precision: Precision,
    ) -> Result<FrozenBlock, WeightError> {
        let read = |part: &str| self.values(&format!("{name}.{part}"));
        let layer = |part: &str| {
            Ok::<_, WeightError>([
                read(&format!("{part}.weight"))?,
                read(&format!("{part}.bias"))?,
            ])
        };
        let in_proj = [read("attn.in_proj_weight")?, read("attn.in_proj_bias")?];
        let (ln_1, ln_2) = (layer("ln_1")?, layer("ln_2")?);
        let out_proj = layer("attn.out_proj")?;
        let (c_fc, c_proj) = (layer("mlp.c_fc")?, layer("mlp.c_proj")?);
        fn slices(layer: &[Vec<f32>; 2]) -> [&[f32]; 2] {
            layer.each_ref().map(Vec::as_slice)
        }
        let weights = BlockWeights {
            ln_1: slices(&ln_1),
            in_proj: slices(&in_proj),
            out_proj: slices(&out_proj),
            ln_2: slices(&ln_2),
            c_fc: slices(&c_fc),
            c_proj: slices(&c_proj),
        };
        Ok(FrozenBlock::new(shape, precision, weights))
    }

    /// The values of a tensor on the host.
    fn values(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        match &self.source {
            Source::File(weights) => weights.f32(name),
            Source::Tensors(_, tensor) => Ok(values(tensor(name))),
        }
    }
}
