//! A linear layer with constant weights, packed for the forward and the backward pass.

use std::sync::OnceLock;

use rayon::prelude::*;

use crate::instruction_set::InstructionSet;
use crate::microkernel::Microkernel;
use crate::packed::{Packed, Right};

/// `x W + b`.
pub(crate) struct Linear<E> {
    /// `W`, `[inputs, outputs]`.
    weight: Packed<E>,
    /// `b`, `[outputs]`.
    pub bias: Vec<f32>,
    /// `W` transposed, `[outputs, inputs]`; packed on first use, where the products cannot transpose it
    /// themselves.
    transposed: OnceLock<Packed<E>>,
}

impl<E: Microkernel> Linear<E> {
    /// Packs a PyTorch layer, `weight` `[outputs, inputs]` and `bias` `[outputs]`. `norm` is the
    /// affine part (weight and bias, `[inputs]` each) of the layer normalisation before it, which is
    /// folded in.
    pub fn new(
        set: InstructionSet,
        [weight, bias]: [&[f32]; 2],
        inputs: usize,
        norm: Option<[&[f32]; 2]>,
    ) -> Self {
        let outputs = bias.len();
        assert_eq!(weight.len(), inputs * outputs, "values of a linear layer");
        let Some([gain, shift]) = norm else {
            return Self {
                weight: Packed::new(set, inputs, outputs, |p, c| weight[c * inputs + p]),
                bias: bias.to_vec(),
                transposed: OnceLock::new(),
            };
        };
        assert_eq!((gain.len(), shift.len()), (inputs, inputs), "a layer norm");
        let bias = weight
            .par_chunks_exact(inputs)
            .zip(bias)
            .map(|(row, bias)| {
                let shifted = row.iter().zip(shift);
                let sum: f64 = shifted.map(|(w, s)| f64::from(*w) * f64::from(*s)).sum();
                (f64::from(*bias) + sum) as f32
            })
            .collect();
        Self {
            weight: Packed::new(set, inputs, outputs, |p, c| {
                weight[c * inputs + p] * gain[p]
            }),
            bias,
            transposed: OnceLock::new(),
        }
    }

    /// What the forward pass multiplies rows with.
    pub fn forward(&self) -> Right<'_, E> {
        Right::Packed(&self.weight)
    }

    /// What the backward pass multiplies gradients with.
    pub fn backward(&self, set: InstructionSet) -> Right<'_, E> {
        if E::arranges(set) {
            Right::Transposed(&self.weight)
        } else {
            Right::Packed(self.transposed.get_or_init(|| self.weight.transposed()))
        }
    }
}
