//! Stochastic gradient descent with momentum, and the learning rate of each epoch.

use promptsrc_learning::sgd::{OptimConfig, Warmup, learning_rate, sgd_step as step};
use serde::{Deserialize, Serialize};

use crate::error::HeadError;

/// The optimiser of a head that is trained in epochs: SGD, a warm-up at a constant rate, then a cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdSettings {
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Epochs of warm-up.
    pub warmup_epochs: usize,
    /// Learning rate of the warm-up.
    pub warmup_lr: f64,
    /// Epochs, those of the warm-up included.
    pub epochs: usize,
    /// Rows in a step.
    pub batch_size: usize,
}

impl SgdSettings {
    /// Learning rate of an epoch, counted from 0: constant in the warm-up; the cosine begins after it but is as
    /// long as all epochs (Dassl's `ConstantWarmupScheduler` around PyTorch's `CosineAnnealingLR`).
    pub fn learning_rate(&self, epoch: usize) -> f64 {
        learning_rate(&self.optim(), self.epochs, epoch)
    }

    fn optim(&self) -> OptimConfig {
        OptimConfig {
            warmup_epochs: self.warmup_epochs,
            warmup_lr: self.warmup_lr,
            ..plain(self.lr, self.momentum, self.weight_decay)
        }
    }

    pub(crate) fn check(&self) -> Result<(), HeadError> {
        at_least_one("epochs", self.epochs)?;
        at_least_one("batch_size", self.batch_size)?;
        not_negative("lr", self.lr)?;
        not_negative("momentum", self.momentum)?;
        not_negative("weight_decay", self.weight_decay)?;
        not_negative("warmup_lr", self.warmup_lr)
    }
}

/// Without dampening, Nesterov momentum and warm-up.
fn plain(lr: f64, momentum: f64, weight_decay: f64) -> OptimConfig {
    OptimConfig {
        lr,
        momentum,
        weight_decay,
        dampening: 0.0,
        nesterov: false,
        warmup: Warmup::Constant,
        warmup_epochs: 0,
        warmup_lr: 0.0,
    }
}

pub(crate) fn at_least_one(name: &'static str, found: usize) -> Result<(), HeadError> {
    if found > 0 {
        return Ok(());
    }
    Err(HeadError::Setting {
        name,
        found: found.to_string(),
        expected: "at least 1",
    })
}

pub(crate) fn not_negative(name: &'static str, found: f64) -> Result<(), HeadError> {
    if found.is_finite() && found >= 0.0 {
        return Ok(());
    }
    Err(HeadError::Setting {
        name,
        found: found.to_string(),
        expected: "a finite number of 0 or more",
    })
}

/// One step of SGD on one tensor, as PyTorch's in f32; `velocity` is empty before the first, whose velocity is
/// the gradient itself.
pub(crate) fn sgd_step(
    (lr, momentum, weight_decay): (f64, f64, f64),
    parameter: &mut [f32],
    gradient: &[f32],
    velocity: &mut Vec<f32>,
) {
    let optim = plain(lr, momentum, weight_decay);
    step(&optim, lr, parameter, gradient, velocity);
}
