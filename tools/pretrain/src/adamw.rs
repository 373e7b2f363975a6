//! AdamW with warm-up, cosine decay to zero and clipping of the gradient's norm.

use crate::parameters::Values;

/// Settings of the optimiser.
#[derive(Clone, Debug)]
pub struct AdamW {
    pub lr: f64,
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub clip_norm: f64,
    pub warmup_steps: usize,
    pub steps: usize,
}

/// Moving averages of the gradients and of their squares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    pub first: Values,
    pub second: Values,
}

impl AdamW {
    /// Learning rate of a step; steps count from 0.
    pub fn learning_rate(&self, step: usize) -> f64 {
        let (step, warmup) = (step as f64, self.warmup_steps as f64);
        if step < warmup {
            return self.lr * (step + 1.0) / warmup;
        }
        let t = (step - warmup) / (self.steps as f64 - warmup).max(1.0);
        self.lr * 0.5 * (1.0 + (std::f64::consts::PI * t.min(1.0)).cos())
    }

    /// Makes a step, counted from 0; returns the norm of the gradient before clipping.
    /// Weight decay applies to matrices and embeddings only.
    pub fn step(
        &self,
        step: usize,
        weights: &mut Values,
        gradients: &Values,
        moments: &mut Moments,
    ) -> f64 {
        let squares = gradients.values().flatten().map(|g| f64::from(*g).powi(2));
        let norm = squares.sum::<f64>().sqrt();
        let bound = (self.clip_norm / norm.max(1e-12)).min(1.0);
        let lr = self.learning_rate(step);
        let n = (step + 1) as i32;
        let (correct1, correct2) = (1.0 - self.beta1.powi(n), 1.0 - self.beta2.powi(n));
        for (name, weights) in weights {
            let Some(gradient) = gradients.get(name) else {
                continue;
            };
            let decay = if decays(name) {
                1.0 - lr * self.weight_decay
            } else {
                1.0
            };
            let zeros = || vec![0.0; gradient.len()];
            let first = moments.first.entry(name.clone()).or_insert_with(zeros);
            let second = moments.second.entry(name.clone()).or_insert_with(zeros);
            for (((w, g), m), v) in weights.iter_mut().zip(gradient).zip(first).zip(second) {
                let g = f64::from(*g) * bound;
                let mean = self.beta1 * f64::from(*m) + (1.0 - self.beta1) * g;
                let square = self.beta2 * f64::from(*v) + (1.0 - self.beta2) * g * g;
                (*m, *v) = (mean as f32, square as f32);
                let update = (mean / correct1) / ((square / correct2).sqrt() + self.epsilon);
                *w = (f64::from(*w) * decay - lr * update) as f32;
            }
        }
        norm
    }
}

fn decays(name: &str) -> bool {
    let is_matrix = name.ends_with("weight") || name.ends_with("proj") || name == "text_projection";
    is_matrix && !name.contains("ln_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// p = torch.tensor([0.5, -1.0], requires_grad=True)
    /// o = torch.optim.AdamW([p], lr=0.1, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2)
    /// for g in ([0.3, -0.2], [0.1, 0.4]): p.grad = torch.tensor(g); o.step()
    /// ```
    #[test]
    fn two_steps_are_those_of_pytorch() {
        let adam = AdamW {
            lr: 0.1,
            weight_decay: 0.2,
            beta1: 0.9,
            beta2: 0.98,
            epsilon: 1e-6,
            clip_norm: 1e9,
            warmup_steps: 0,
            // Many, so that the learning rate does not change.
            steps: 1_000_000_000,
        };
        let name = "c_fc.weight".to_string();
        let mut weights = Values::from([(name.clone(), vec![0.5, -1.0])]);
        let mut moments = Moments::default();
        for (step, gradient) in [[0.3, -0.2], [0.1, 0.4]].into_iter().enumerate() {
            let gradients = Values::from([(name.clone(), gradient.to_vec())]);
            adam.step(step, &mut weights, &gradients, &mut moments);
        }
        for (found, expected) in weights[&name].iter().zip(EXPECTED) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    const EXPECTED: [f32; 2] = [0.294_757_72, -0.898_905_8];
}
