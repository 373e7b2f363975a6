//! Stochastic gradient descent with momentum and weight decay, as PyTorch's `SGD` computes it.

use crate::config::OptimConfig;

/// One tensor's step. `velocity` is empty before the first step.
///
/// `d = grad + weight_decay * p`; the first velocity is `d` itself, later ones
/// `momentum * velocity + (1 - dampening) * d`; the parameter moves by `-lr` times the velocity, or
/// `d + momentum * velocity` with Nesterov.
pub fn sgd_step(
    optim: &OptimConfig,
    lr: f64,
    parameters: &mut [f32],
    gradient: &[f32],
    velocity: &mut Vec<f32>,
) {
    // In f32 with the constants rounded once, as PyTorch's f32 kernels do.
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
