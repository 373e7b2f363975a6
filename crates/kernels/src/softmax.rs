//! The softmax over the scores of one query, forward and backward.
//!
//! Each function is compiled for each instruction set ([`vectorised`]); the arithmetic is the same in
//! all versions.

use crate::activation::exp;
use crate::row_sum::{LANES, sum_of};
use crate::vectorised::vectorised;

vectorised! {
    /// From scores to weights that are not yet divided by their sum, in place; returns the sum. The
    /// scores are first multiplied by a positive `factor`. The first `attended` of them take part, the
    /// weights of the rest become zero.
    pub(crate) fn exponentials(
        set: InstructionSet,
        scores: &mut [f32],
        attended: usize,
        factor: f32,
    ) -> f32 {
        let (scores, rest) = scores.split_at_mut(attended);
        rest.fill(0.0);
        let mut lanes = [f32::NEG_INFINITY; LANES];
        let (whole, left) = scores.as_chunks::<LANES>();
        for part in whole {
            for (lane, x) in lanes.iter_mut().zip(part) {
                *lane = if *x > *lane { *x } else { *lane };
            }
        }
        let top = lanes
            .iter()
            .chain(left)
            .fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
        for score in scores.iter_mut() {
            *score = exp((*score - top) * factor);
        }
        sum_of(attended, |i| scores[i])
    }
}

vectorised! {
    /// Multiplies every number by `factor`, in place.
    pub(crate) fn scale(
        set: InstructionSet,
        values: &mut [f32],
        factor: f32,
    ) {
        for value in values {
            *value *= factor;
        }
    }
}

vectorised! {
    /// The backward pass: from weights and their gradients to the gradients of the scores before they
    /// were multiplied by `factor`, in place of the weights' gradients.
    pub(crate) fn softmax_backward(
        set: InstructionSet,
        weights: &[f32],
        gradients: &mut [f32],
        factor: f32,
    ) {
        let n = gradients.len().min(weights.len());
        let along = sum_of(n, |i| weights[i] * gradients[i]);
        for (g, w) in gradients.iter_mut().zip(weights) {
            *g = *w * (*g - along) * factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruction_set::InstructionSet;

    #[test]
    fn weights_of_what_is_not_attended_to_are_zero() {
        for set in InstructionSet::available() {
            let mut scores: Vec<f32> = (0..37).map(|i| (i as f32 * 1.7).sin() * 5.0).collect();
            let exact: Vec<f64> = scores.iter().map(|s| (0.5 * f64::from(*s)).exp()).collect();
            let total: f64 = exact[..33].iter().sum();
            let sum = exponentials(set, &mut scores, 33, 0.5);
            for (i, (score, exact)) in scores.iter().zip(&exact).enumerate() {
                let expected = if i < 33 { exact / total } else { 0.0 };
                let error = (f64::from(score / sum) - expected).abs();
                assert!(error < 1e-6, "{i} with {set}");
            }
        }
    }
}
