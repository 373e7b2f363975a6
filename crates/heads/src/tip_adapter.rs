//! Tip-Adapter (Zhang et al., ECCV 2022): a cache of the training features beside the zero-shot classifier.
//!
//! `logit_scale * (f . w_k) + alpha * sum over cached rows n of class k of exp(-(beta - beta f . key_n))` for
//! unit features `f` and unit text features `w_k` (`main.py`; equations 3 to 6 of the paper). A key is the mean of
//! an image's features over the passes, **not** of unit length before the mean, made unit afterwards. The program
//! computes in f16 and with the literal scale 100; this computes in f32 with the scale of the CLIP.
//!
//! `alpha` and `beta` are chosen on validation features, beta outside and alpha inside, the first of equal ones. The
//! program searches on the *test* set of ImageNet; that is never done here.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::HeadError;
use crate::exponential::exponentials;
use crate::features::{FewShot, check_rows, check_scale, check_unit};
use crate::head::{Head, check_subset};
use crate::product::rows_by_rows;
use crate::sgd::not_negative;
use crate::tensors::{NamedTensor, Reader, tensor};
use crate::unit::unit_rows;

/// Settings of Tip-Adapter; the default is that for ImageNet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TipAdapterSettings {
    /// Weight of the cache, before any search and where there are no validation features.
    pub init_alpha: f64,
    /// Sharpness of the cache, likewise.
    pub init_beta: f64,
    /// End of the searched alphas, which begin at 0.1; never reached.
    pub search_scale_alpha: f64,
    /// End of the searched betas, which begin at 0.1; never reached.
    pub search_scale_beta: f64,
    /// Number of searched alphas.
    pub search_steps_alpha: usize,
    /// Number of searched betas.
    pub search_steps_beta: usize,
}

impl Default for TipAdapterSettings {
    fn default() -> Self {
        Self::published("ImageNet")
    }
}

impl TipAdapterSettings {
    /// The published settings of a data set by the name that the paper or its program gives it; those of ImageNet
    /// for any other, which no publication covers.
    pub fn published(data_set: &str) -> Self {
        // (init_alpha, search_scale_beta, search_scale_alpha), from the program's `configs/`.
        let (init_alpha, beta, alpha) = match data_set {
            "Caltech101" => (3.0, 12.0, 5.0),
            "DTD" | "DescribableTextures" => (2.0, 13.0, 13.0),
            "EuroSAT" => (2.0, 12.0, 10.0),
            "FGVCAircraft" => (5.0, 30.0, 30.0),
            "Food101" => (1.17, 10.0, 10.0),
            "Flowers102" | "OxfordFlowers" => (10.0, 50.0, 50.0),
            "OxfordPets" => (1.17, 7.0, 3.0),
            "StanfordCars" => (3.0, 20.0, 10.0),
            "SUN397" => (1.17, 12.0, 10.0),
            "UCF101" => (3.0, 7.0, 3.0),
            // ImageNet.
            _ => (1.17, 7.0, 3.0),
        };
        Self {
            init_alpha,
            init_beta: 1.0,
            search_scale_alpha: alpha,
            search_scale_beta: beta,
            search_steps_alpha: 20,
            search_steps_beta: 200,
        }
    }

    pub(crate) fn check(&self) -> Result<(), HeadError> {
        not_negative("init_alpha", self.init_alpha)?;
        not_negative("init_beta", self.init_beta)?;
        not_negative("search_scale_alpha", self.search_scale_alpha)?;
        not_negative("search_scale_beta", self.search_scale_beta)
    }

    /// The searched alphas, ascending.
    pub fn alphas(&self) -> Vec<f64> {
        grid(self.search_scale_alpha, self.search_steps_alpha)
    }

    /// The searched betas, ascending.
    pub fn betas(&self) -> Vec<f64> {
        grid(self.search_scale_beta, self.search_steps_beta)
    }
}

fn grid(scale: f64, steps: usize) -> Vec<f64> {
    (0..steps)
        .map(|i| i as f64 * (scale - 0.1) / steps as f64 + 0.1)
        .collect()
}

/// The head of Tip-Adapter and Tip-Adapter-F.
#[derive(Clone, Debug, PartialEq)]
pub struct TipAdapter {
    dim: usize,
    pub(crate) keys: Vec<f32>,
    labels: Vec<usize>,
    text_features: Vec<f32>,
    alpha: f32,
    beta: f32,
    logit_scale: f32,
}

/// Names of the head's tensors. The values of the cache are one-hot rows, kept as their classes.
const NAMES: &[&str] = &[
    "cache_keys",
    "cache_labels",
    "text_features",
    "alpha",
    "beta",
    "logit_scale",
];

impl TipAdapter {
    /// The cache of the training features with the first alpha and beta. The text features are **unit** rows. A
    /// class without training rows has no row in the cache.
    ///
    /// # Errors
    /// For bad input.
    pub fn cache(settings: &TipAdapterSettings, data: &FewShot<'_>) -> Result<Self, HeadError> {
        settings.check()?;
        data.check()?;
        let dim = data.train.dim;
        check_unit("text features", data.text_features, dim)?;
        let views = &data.train.views;
        let mut mean = vec![0.0_f32; data.train.rows() * dim];
        for view in views {
            mean.iter_mut().zip(view).for_each(|(sum, v)| *sum += v);
        }
        mean.iter_mut().for_each(|v| *v /= views.len() as f32);
        // Passes may cancel each other out.
        check_rows("means of the passes", &mean, dim)?;
        Ok(Self {
            dim,
            keys: unit_rows(&mean, dim),
            labels: data.train.labels.clone(),
            text_features: data.text_features.to_vec(),
            alpha: settings.init_alpha as f32,
            beta: settings.init_beta as f32,
            logit_scale: data.logit_scale,
        })
    }

    /// The head with another alpha and beta.
    pub(crate) fn with(self, alpha: f64, beta: f64) -> Self {
        Self {
            alpha: alpha as f32,
            beta: beta as f32,
            ..self
        }
    }

    /// Keys `[rows, dim]`.
    pub fn keys(&self) -> &[f32] {
        &self.keys
    }

    /// The class of each key.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Values `[rows, classes]`: 1 at the class of each key, 0 elsewhere.
    pub fn values(&self) -> Vec<f32> {
        let classes = self.classes();
        let mut values = vec![0.0; self.labels.len() * classes];
        for (row, label) in values.chunks_exact_mut(classes).zip(&self.labels) {
            row[*label] = 1.0;
        }
        values
    }

    /// Weight of the cache.
    pub fn alpha(&self) -> f32 {
        self.alpha
    }

    /// Sharpness of the cache.
    pub fn beta(&self) -> f32 {
        self.beta
    }

    /// Unit text features `[classes, dim]`.
    pub fn text_features(&self) -> &[f32] {
        &self.text_features
    }

    /// The factor between cosines and logits of the texts.
    pub fn logit_scale(&self) -> f32 {
        self.logit_scale
    }

    /// Scaled cosines with the texts, `[rows, classes]`.
    pub(crate) fn text_logits(&self, unit: &[f32]) -> Vec<f32> {
        let mut logits = rows_by_rows(unit, &self.text_features, self.dim);
        logits.iter_mut().for_each(|l| *l *= self.logit_scale);
        logits
    }

    /// Cosines with the keys, `[rows, cached rows]`.
    pub(crate) fn affinities(&self, unit: &[f32]) -> Vec<f32> {
        rows_by_rows(unit, &self.keys, self.dim)
    }

    /// Logits of unit features, and the weights of the cached rows, `[rows, cached rows]`.
    pub(crate) fn logits_and_weights(&self, unit: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut logits = self.text_logits(unit);
        let mut weights = self.affinities(unit);
        // A subset of the classes may have no cached row.
        if !self.labels.is_empty() {
            let classes = logits.par_chunks_mut(self.text_features.len() / self.dim);
            let cached = weights.par_chunks_mut(self.labels.len());
            classes.zip(cached).for_each(|(logits, weights)| {
                affinities_to_weights(weights, self.beta);
                let mut sums = vec![0.0; logits.len()];
                self.by_class(weights, &mut sums);
                let both = logits.iter_mut().zip(&sums);
                both.for_each(|(logit, sum)| *logit += self.alpha * sum);
            });
        }
        (logits, weights)
    }

    /// Sums of one row's weights of the cached rows by class.
    pub(crate) fn by_class(&self, weights: &[f32], sums: &mut [f32]) {
        sums.fill(0.0);
        for (weight, label) in weights.iter().zip(&self.labels) {
            sums[*label] += weight;
        }
    }
}

/// Puts the weights of the cached rows, `exp(-(beta - beta * affinity))`, in the place of their affinities.
pub(crate) fn affinities_to_weights(affinities: &mut [f32], beta: f32) {
    affinities.iter_mut().for_each(|a| *a = -(beta - beta * *a));
    exponentials(affinities);
}

/// Features that are compared with the cache at once, so that memory does not grow with their number.
const ROWS: usize = 512;

impl Head for TipAdapter {
    fn classes(&self) -> usize {
        self.text_features.len() / self.dim
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn logits_of_checked(&self, features: &[f32]) -> Vec<f32> {
        let blocks = features.chunks(ROWS * self.dim);
        let logits =
            blocks.flat_map(|features| self.logits_and_weights(&unit_rows(features, self.dim)).0);
        logits.collect()
    }

    fn tensors(&self) -> Vec<NamedTensor<'static>> {
        let labels: Vec<f32> = self.labels.iter().map(|label| *label as f32).collect();
        let rows = labels.len();
        vec![
            tensor("cache_keys", &[rows, self.dim], &self.keys),
            tensor("cache_labels", &[rows], &labels),
            tensor(
                "text_features",
                &[self.classes(), self.dim],
                &self.text_features,
            ),
            tensor("alpha", &[1], &[self.alpha]),
            tensor("beta", &[1], &[self.beta]),
            tensor("logit_scale", &[1], &[self.logit_scale]),
        ]
    }

    fn from_tensors(tensors: &[NamedTensor<'_>]) -> Result<Self, HeadError> {
        let tensors = Reader::new(tensors, NAMES)?;
        let (classes, dim, text_features) = tensors.matrix("text_features")?;
        let (rows, keys) = tensors.rows_of("cache_keys", dim)?;
        let logit_scale = tensors.positive("logit_scale")?;
        check_scale(logit_scale)?;
        Ok(Self {
            dim,
            keys,
            labels: tensors.indices("cache_labels", rows, classes)?,
            text_features,
            alpha: tensors.number("alpha")?,
            beta: tensors.number("beta")?,
            logit_scale,
        })
    }

    fn subset(&self, classes: &[usize]) -> Result<Self, HeadError> {
        check_subset(classes, self.classes())?;
        let mut renamed = vec![None; self.classes()];
        for (new, old) in classes.iter().enumerate() {
            renamed[*old] = Some(new);
        }
        // Rows of other classes add nothing to these classes' logits.
        let kept = self
            .labels
            .iter()
            .enumerate()
            .filter_map(|(row, old)| Some((row, renamed[*old]?)));
        let (rows, labels): (Vec<usize>, Vec<usize>) = kept.unzip();
        Ok(Self {
            keys: crate::batch_order::gather(&self.keys, self.dim, &rows),
            labels,
            text_features: crate::batch_order::gather(&self.text_features, self.dim, classes),
            ..self.clone()
        })
    }
}
