//! The terms of the loss that a configuration has, by name: a log has a number for every term of every
//! method.

use crate::config::{Guidance, TrainConfig};
use crate::losses::LossValues;

/// A term of the loss.
#[derive(Clone, Copy, Debug)]
pub struct LossTerm {
    /// Its name in files.
    pub key: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Its value, multiplied by its weight.
    pub value: fn(&LossValues) -> f32,
}

/// The terms of a configuration, their sum first.
pub fn loss_terms(config: &TrainConfig) -> Vec<LossTerm> {
    let term = |key, name, value: fn(&LossValues) -> f32| LossTerm { key, name, value };
    let mut terms = vec![
        term("total", "sum", |losses| losses.total),
        term("cross_entropy", "cross-entropy", |losses| losses.ce),
    ];
    if config.regularisation.is_some() {
        terms.extend([
            term("text", "text features", |losses| losses.scl_text),
            term("image", "image features", |losses| losses.scl_image),
            term("logits", "logits", |losses| losses.scl_logits),
        ]);
    }
    match config.guidance {
        Some(Guidance::Knowledge { .. }) => {
            terms.push(term("knowledge", "knowledge", |losses| losses.knowledge));
        }
        Some(Guidance::GradientProjection { .. }) => {
            let name = "cross-entropy with frozen CLIP (no part of the sum)";
            terms.push(term("teacher_cross_entropy", name, |losses| {
                losses.teacher_ce
            }));
        }
        None => {}
    }
    terms
}
