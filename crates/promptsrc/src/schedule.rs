//! The learning rate of each epoch: constant warm-up, then a cosine that never reaches zero.

use crate::config::OptimConfig;

/// Learning rate of one epoch, counted from 0, of a run of `epochs` epochs.
///
/// The rate changes once an epoch. The cosine's own clock starts at the end of the warm-up but its
/// period is the whole run, so the first epoch after the warm-up has the full rate and the last one
/// is above zero (the reference's `ConstantWarmupScheduler` around PyTorch's `CosineAnnealingLR`).
pub fn learning_rate(optim: &OptimConfig, epochs: usize, epoch: usize) -> f64 {
    if epoch < optim.warmup_epochs {
        return optim.warmup_lr;
    }
    let clock = (epoch - optim.warmup_epochs) as f64 / epochs as f64;
    optim.lr * 0.5 * (1.0 + (std::f64::consts::PI * clock).cos())
}
