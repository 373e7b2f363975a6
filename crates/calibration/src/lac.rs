//! The score of LAC: how improbable a class is.

use crate::softmax::softmax;

/// 1 - probability of each class, at CLIP's own temperature. Sets are the smallest on average among those of
/// the same coverage; they can be empty, where no class is probable enough.
///
/// Source: Sadinle et al., "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels", 2019.
pub(crate) fn scores(row: &[f32]) -> Vec<f64> {
    softmax(row, 1.0).into_iter().map(|p| 1.0 - p).collect()
}
