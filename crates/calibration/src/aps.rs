//! The score of APS: the probability of all classes that are more probable.

use crate::softmax::{ranking, softmax};

/// For each class, the sum of the probabilities of the classes ranked before it, at CLIP's own temperature,
/// and its rank, from 1. Of equal logits, the earlier class comes first.
///
/// The most probable class has the score 0, so that sets are never empty and the same image always has the
/// same set. In the notation of Angelopoulos et al. (equation 5 of the paper on RAPS) this is rho(x, y) + u pi(x, y)
/// with u = 0; Romano et al., "Classification with Valid and Adaptive Coverage", NeurIPS 2020, draw u at random.
pub(crate) fn scores(row: &[f32]) -> Vec<(f64, usize)> {
    let probabilities = softmax(row, 1.0);
    let mut scores = vec![(0.0, 0); row.len()];
    let mut before = 0.0;
    for (place, class) in ranking(row).into_iter().enumerate() {
        scores[class] = (before, place + 1);
        before += probabilities[class];
    }
    scores
}
