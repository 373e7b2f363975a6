//! The learning rate of each epoch: a warm-up, then a cosine that never reaches zero.

use crate::config::{OptimConfig, Warmup};

/// Learning rate of one epoch, counted from 0, of a run of `epochs` epochs.
///
/// The rate changes once an epoch. A constant warm-up stays at `warmup_lr`; a linear one begins
/// there and goes on with `lr * epoch / warmup_epochs`. The cosine's own clock starts at the end of
/// the warm-up but its period is the whole run, so the first epoch after the warm-up has the full
/// rate and the last one is above zero (the reference's `ConstantWarmupScheduler` and
/// `LinearWarmupScheduler` around PyTorch's `CosineAnnealingLR`).
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
