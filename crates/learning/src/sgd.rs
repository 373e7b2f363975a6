//! Stochastic gradient descent: the update of PyTorch's `SGD`, and the learning rate of each epoch.

use serde::{Deserialize, Serialize};

/// How the learning rate warms up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Warmup {
    /// The warm-up rate in all warm-up epochs.
    Constant,
    /// From the warm-up rate in equal steps towards the full rate.
    Linear,
}

/// The optimiser and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimConfig {
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// L2 penalty, on every parameter.
    pub weight_decay: f64,
    /// Dampening of the momentum.
    pub dampening: f64,
    /// Nesterov momentum.
    pub nesterov: bool,
    /// Form of the warm-up.
    pub warmup: Warmup,
    /// Epochs of warm-up.
    pub warmup_epochs: usize,
    /// Learning rate of the warm-up.
    pub warmup_lr: f64,
}

/// The SGD update of one tensor. `velocity` is empty before the first step.
///
/// `d = grad + weight_decay * p`; the first velocity is `d` itself, later ones `momentum * velocity
/// + (1 - dampening) * d`; the parameter changes by `-lr` times the velocity, or with Nesterov by
/// `-lr` times `d + momentum * velocity`.
pub fn sgd_step(
    optim: &OptimConfig,
    lr: f64,
    parameters: &mut [f32],
    gradient: &[f32],
    velocity: &mut Vec<f32>,
) {
    // In f32, with the constants rounded once, as in PyTorch's f32 kernels.
    let (lr, decay) = (lr as f32, optim.weight_decay as f32);
    let (momentum, dampening) = (optim.momentum as f32, optim.dampening as f32);
    let first = velocity.is_empty();
    if first && momentum != 0.0 {
        velocity.resize(parameters.len(), 0.0);
    }
    for (i, (p, g)) in parameters.iter_mut().zip(gradient).enumerate() {
        let d = g + decay * *p;
        let step = match velocity.get_mut(i) {
            None => d,
            Some(v) => {
                *v = if first {
                    d
                } else {
                    momentum * *v + (1.0 - dampening) * d
                };
                if optim.nesterov {
                    d + momentum * *v
                } else {
                    *v
                }
            }
        };
        *p -= lr * step;
    }
}

/// Learning rate of one epoch, counted from 0, of a run of `epochs` epochs.
///
/// The rate changes once per epoch. A constant warm-up stays at `warmup_lr`; a linear one starts
/// there and continues with `lr * epoch / warmup_epochs`. The cosine schedule starts after the
/// warm-up, but it is as long as all epochs together, so the first epoch after the warm-up has the
/// full rate and the rate of the last epoch is above zero (the reference's
/// `ConstantWarmupScheduler` and `LinearWarmupScheduler` around PyTorch's `CosineAnnealingLR`).
pub fn learning_rate(optim: &OptimConfig, epochs: usize, epoch: usize) -> f64 {
    if epoch < optim.warmup_epochs {
        return match optim.warmup {
            Warmup::Linear if epoch > 0 => optim.lr * epoch as f64 / optim.warmup_epochs as f64,
            Warmup::Constant | Warmup::Linear => optim.warmup_lr,
        };
    }
    let clock = (epoch - optim.warmup_epochs) as f64 / epochs as f64;
    optim.lr * 0.5 * (1.0 + (std::f64::consts::PI * clock).cos())
}
