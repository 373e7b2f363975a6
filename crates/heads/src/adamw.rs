//! AdamW, as PyTorch computes it in f32.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::HeadError;
use crate::sgd::not_negative;

/// Settings of AdamW; the weight decay is decoupled from the gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamWSettings {
    /// Learning rate of the first step.
    pub lr: f64,
    /// Decay of the mean gradient.
    pub beta1: f64,
    /// Decay of the mean square.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub eps: f64,
    /// Share of the parameter that a step takes off, times the learning rate.
    pub weight_decay: f64,
}

impl AdamWSettings {
    pub(crate) fn check(&self) -> Result<(), HeadError> {
        not_negative("lr", self.lr)?;
        not_negative("eps", self.eps)?;
        not_negative("weight_decay", self.weight_decay)?;
        for (name, found) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&found) {
                return Err(HeadError::Setting {
                    name,
                    found: found.to_string(),
                    expected: "a number from 0 to 1, without 1",
                });
            }
        }
        Ok(())
    }
}

/// The moments of one tensor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments {
    steps: i32,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Moments {
    /// One step at this learning rate.
    pub(crate) fn step(
        &mut self,
        settings: &AdamWSettings,
        lr: f64,
        parameter: &mut [f32],
        gradient: &[f32],
    ) {
        self.mean.resize(parameter.len(), 0.0);
        self.square.resize(parameter.len(), 0.0);
        self.steps += 1;
        // Constants in f64, rounded once.
        let kept = (1.0 - lr * settings.weight_decay) as f32;
        let step = (lr / (1.0 - settings.beta1.powi(self.steps))) as f32;
        let correction = (1.0 - settings.beta2.powi(self.steps)).sqrt() as f32;
        let new_mean = (1.0 - settings.beta1) as f32;
        let (old_square, new_square) = (settings.beta2 as f32, (1.0 - settings.beta2) as f32);
        let eps = settings.eps as f32;
        let moments = self
            .mean
            .par_iter_mut()
            .with_min_len(4096)
            .zip(&mut self.square);
        let parameters = parameter.par_iter_mut().zip(gradient);
        moments
            .zip(parameters)
            .for_each(|((mean, square), (p, g))| {
                *p *= kept;
                *mean += new_mean * (g - *mean);
                *square = old_square * *square + new_square * g * g;
                *p -= step * *mean / (square.sqrt() / correction + eps);
            });
    }
}
