//! Tip-Adapter's search of beta and alpha on validation features.

use rayon::prelude::*;

use crate::accuracy::percent;
use crate::error::HeadError;
use crate::features::{Features, FewShot};
use crate::fitted::{Fitted, Observer, go_on};
use crate::head::Head;
use crate::tip_adapter::{TipAdapter, TipAdapterSettings, affinities_to_weights};
use crate::unit::unit_rows;

impl TipAdapter {
    /// Makes the cache of all passes and chooses alpha and beta on the validation features, or leaves the first ones
    /// where there are none. The text features are **unit** rows.
    ///
    /// Figures: `alpha`, `beta`, and with validation features `validation_accuracy` (percent).
    ///
    /// # Errors
    /// For bad input, and where it is stopped. A class may be without training rows.
    pub fn fit(
        settings: &TipAdapterSettings,
        data: &FewShot<'_>,
        observer: &dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        Self::cache(settings, data)?.selected(settings, data, observer)
    }

    /// The cache with alpha and beta chosen.
    pub(crate) fn selected(
        self,
        settings: &TipAdapterSettings,
        data: &FewShot<'_>,
        observer: &dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        let mut figures = Vec::new();
        let (mut alpha, mut beta) = (settings.init_alpha, settings.init_beta);
        if let Some(features) = data.validation
            && let (betas, alphas) = (settings.betas(), settings.alphas())
            && let Some(found) = search(&self, &betas, &alphas, features, observer)?
        {
            (alpha, beta) = (found.alpha, found.beta);
            figures.push(("validation_accuracy", found.accuracy));
        }
        figures.extend([("alpha", alpha), ("beta", beta)]);
        Ok(Fitted {
            head: self.with(alpha, beta),
            figures,
        })
    }
}

/// What a search found.
struct Found {
    beta: f64,
    alpha: f64,
    /// Percent.
    accuracy: f64,
}

/// Validation rows that one task takes.
const ROWS: usize = 32;
/// Validation rows between two looks whether the search shall end; as many tasks as most machines have threads.
const PART: usize = 64 * ROWS;

/// The first pair with the highest accuracy, betas outside and alphas inside; none where there is no pair.
///
/// Cosines are computed once, the sums over the cache once for each beta, and the rows are counted for all pairs while
/// their cosines are at hand, so that memory does not grow with the validation features.
///
/// # Errors
/// [`HeadError::Stopped`].
fn search(
    head: &TipAdapter,
    betas: &[f64],
    alphas: &[f64],
    features: &Features,
    observer: &dyn Observer,
) -> Result<Option<Found>, HeadError> {
    let dim = head.dim();
    let none = || vec![0usize; betas.len() * alphas.len()];
    let sum = |mut sum: Vec<usize>, counts: Vec<usize>| {
        sum.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
        sum
    };
    let mut right = none();
    let parts = features.values.chunks(PART * dim);
    for (values, labels) in parts.zip(features.labels.chunks(PART)) {
        go_on(observer)?;
        let chunks = values
            .par_chunks(ROWS * dim)
            .zip(labels.par_chunks(ROWS))
            .map(|(values, labels)| right_rows_of_pairs(head, betas, alphas, values, labels));
        right = sum(right, chunks.reduce(none, sum));
    }
    let most = right.iter().max();
    let at = right.iter().position(|n| Some(n) == most);
    Ok(most.zip(at).map(|(most, at)| Found {
        beta: betas[at / alphas.len()],
        alpha: alphas[at % alphas.len()],
        accuracy: percent(*most, features.rows()),
    }))
}

/// Number of right rows for each pair, `[betas, alphas]`.
fn right_rows_of_pairs(
    head: &TipAdapter,
    betas: &[f64],
    alphas: &[f64],
    values: &[f32],
    labels: &[usize],
) -> Vec<usize> {
    let (classes, cached) = (head.classes(), head.labels().len());
    let unit = unit_rows(values, head.dim());
    let text_logits = head.text_logits(&unit);
    let affinities = head.affinities(&unit);
    let mut right = vec![0; betas.len() * alphas.len()];
    let (mut weights, mut sums) = (vec![0.0_f32; cached], vec![0.0_f32; classes]);
    for (row, label) in labels.iter().enumerate() {
        let text_logits = &text_logits[row * classes..(row + 1) * classes];
        let affinities = &affinities[row * cached..(row + 1) * cached];
        for (beta, right) in betas.iter().zip(right.chunks_exact_mut(alphas.len())) {
            let beta = *beta as f32;
            weights.copy_from_slice(affinities);
            affinities_to_weights(&mut weights, beta);
            head.by_class(&weights, &mut sums);
            for (alpha, right) in alphas.iter().zip(right) {
                let alpha = *alpha as f32;
                let logits = text_logits
                    .iter()
                    .zip(&sums)
                    .map(|(l, sum)| l + alpha * sum);
                *right += usize::from(is_first_largest(logits, *label));
            }
        }
    }
    right
}

/// Whether the first largest value is at `label`.
fn is_first_largest(values: impl Iterator<Item = f32>, label: usize) -> bool {
    let (mut at, mut largest) = (0, f32::NEG_INFINITY);
    for (i, value) in values.enumerate() {
        if value > largest {
            (at, largest) = (i, value);
        }
    }
    at == label
}
