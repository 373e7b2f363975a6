//! LP++ (Huang et al., CVPR 2024): a linear probe blended with the text features, at step sizes that follow
//! from the data.
//!
//! With unit features `f` and unit text features `t_k`, the logit of class k is
//! `w_k . f + b_k + alpha_k (t_k . f)`, without CLIP's scale. All training rows are one batch.
//!
//! **Defects that the published numbers have, and this has too** (`methods/linear_probe_p2.py`):
//! `w_k` starts at the *sum* of a class's features, not their mean; `alpha` starts at 250 times the mean over the
//! classes of the mean cosine with the own text, the same for all classes; `alpha` moves in every
//! tenth epoch only, and its gradient is never cleared, so that it moves by the sum of the gradients of all epochs so
//! far. The program computes in f16, this in f32.

use promptsrc_learning::random::Stream;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::accuracy::{percent, right_rows};
use crate::cross_entropy::cross_entropy_backward;
use crate::error::HeadError;
use crate::features::{Features, FewShot, check_rows, check_unit};
use crate::fitted::{Fitted, Observer, Progress, go_on};
use crate::head::{Head, check_subset};
use crate::largest_eigenvalue::largest_eigenvalue_of_gram;
use crate::product::{columns_by_columns, rows_by_rows};
use crate::sgd::{at_least_one, not_negative, sgd_step};
use crate::tensors::{NamedTensor, Reader, tensor};
use crate::unit::unit_rows;

/// Settings of LP++; the default is as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LppSettings {
    /// Epochs, one step on all training rows each.
    pub epochs: usize,
    /// Momentum of the weights and the bias.
    pub momentum: f64,
    /// Factor of the first alpha.
    pub alpha_init: f64,
    /// Epochs from one step of alpha to the next.
    pub alpha_every: usize,
}

impl Default for LppSettings {
    fn default() -> Self {
        Self {
            epochs: 300,
            momentum: 0.9,
            alpha_init: 250.0,
            alpha_every: 10,
        }
    }
}

impl LppSettings {
    fn check(&self) -> Result<(), HeadError> {
        at_least_one("epochs", self.epochs)?;
        at_least_one("alpha_every", self.alpha_every)?;
        not_negative("momentum", self.momentum)?;
        not_negative("alpha_init", self.alpha_init)
    }
}

/// The head of LP++.
#[derive(Clone, Debug, PartialEq)]
pub struct Lpp {
    dim: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
    alpha: Vec<f32>,
    text_features: Vec<f32>,
}

/// Names of the head's tensors.
const NAMES: &[&str] = &["weight", "bias", "alpha", "text_features"];

impl Lpp {
    /// Weights `[classes, dim]`.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// Bias of each class.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Factor of each class's text.
    pub fn alpha(&self) -> &[f32] {
        &self.alpha
    }

    /// Unit text features `[classes, dim]`.
    pub fn text_features(&self) -> &[f32] {
        &self.text_features
    }

    /// Random bias of each class, uniform between -1/sqrt(dim) and 1/sqrt(dim) as PyTorch's linear layer has it.
    pub fn initial_bias(seed: u64, classes: usize, dim: usize) -> Vec<f32> {
        let bound = 1.0 / (dim as f64).sqrt();
        Stream::new(seed, "LP++ bias").uniform(bound, classes)
    }

    /// Trains the head. The text features are **unit** rows. Only the first pass of the training features is
    /// used: the program makes one.
    ///
    /// Selected on validation features: the last of the epochs with the highest accuracy. Without them the last
    /// epoch is the result. Figures: `epoch` (from 1), `lr_weight`, `lr_alpha`, and `validation_accuracy` (percent)
    /// where there are validation features. `logit_scale` is not used.
    ///
    /// # Errors
    /// For bad input, a class without a training row, where the training diverges, and where it is stopped.
    pub fn fit(
        settings: &LppSettings,
        data: &FewShot<'_>,
        seed: u64,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        let bias = Self::initial_bias(seed, data.classes(), data.train.dim);
        Self::fit_from(settings, data, &bias, observer)
    }

    /// [`Lpp::fit`] from this bias.
    ///
    /// # Errors
    /// As [`Lpp::fit`], and for a bias that is not a finite number for each class.
    pub fn fit_from(
        settings: &LppSettings,
        data: &FewShot<'_>,
        bias: &[f32],
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        let mut training = LppTraining::new(settings, data, bias)?;
        let validation = data
            .validation
            .map(|features| Validation::new(features, &training.head));
        let mut best: Option<(usize, usize, Self)> = None;
        for epoch in 1..=settings.epochs {
            go_on(observer)?;
            let loss = training.epoch();
            if !loss.is_finite() {
                return Err(HeadError::Diverged { epoch });
            }
            if let Some(validation) = &validation {
                let right = validation.right(&training.head);
                if best.as_ref().is_none_or(|(most, ..)| right >= *most) {
                    best = Some((right, epoch, training.head.clone()));
                }
            }
            observer.progress(Progress {
                epoch,
                epochs: settings.epochs,
                loss,
            });
        }
        let mut figures = vec![
            ("lr_weight", training.lr_weight),
            ("lr_alpha", training.lr_alpha),
        ];
        let (epoch, head) = match (best, &validation) {
            (Some((right, epoch, head)), Some(validation)) => {
                let accuracy = percent(right, validation.labels.len());
                figures.push(("validation_accuracy", accuracy));
                (epoch, head)
            }
            _ => (settings.epochs, training.head),
        };
        figures.push(("epoch", epoch as f64));
        if head
            .weight
            .iter()
            .chain(&head.alpha)
            .any(|v| !v.is_finite())
        {
            return Err(HeadError::Diverged { epoch });
        }
        Ok(Fitted { head, figures })
    }

    /// Logits of unit features, given their cosines with the texts.
    fn logits_with(&self, unit: &[f32], cosines: &[f32]) -> Vec<f32> {
        let mut logits = rows_by_rows(unit, &self.weight, self.dim);
        let classes = self.bias.len();
        let rows = logits
            .par_chunks_mut(classes)
            .zip(cosines.par_chunks(classes));
        rows.for_each(|(row, cosines)| {
            for (k, logit) in row.iter_mut().enumerate() {
                *logit = *logit + self.bias[k] + self.alpha[k] * cosines[k];
            }
        });
        logits
    }
}

impl Head for Lpp {
    fn classes(&self) -> usize {
        self.bias.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn logits_of_checked(&self, features: &[f32]) -> Vec<f32> {
        let unit = unit_rows(features, self.dim);
        self.logits_with(&unit, &rows_by_rows(&unit, &self.text_features, self.dim))
    }

    fn tensors(&self) -> Vec<NamedTensor<'static>> {
        let (classes, dim) = (self.classes(), self.dim);
        vec![
            tensor("weight", &[classes, dim], &self.weight),
            tensor("bias", &[classes], &self.bias),
            tensor("alpha", &[classes], &self.alpha),
            tensor("text_features", &[classes, dim], &self.text_features),
        ]
    }

    fn from_tensors(tensors: &[NamedTensor<'_>]) -> Result<Self, HeadError> {
        let tensors = Reader::new(tensors, NAMES)?;
        let (classes, dim, weight) = tensors.matrix("weight")?;
        Ok(Self {
            dim,
            weight,
            bias: tensors.shaped("bias", &[classes])?,
            alpha: tensors.shaped("alpha", &[classes])?,
            text_features: tensors.shaped("text_features", &[classes, dim])?,
        })
    }

    fn subset(&self, classes: &[usize]) -> Result<Self, HeadError> {
        check_subset(classes, self.classes())?;
        let rows = |values: &[f32], dim| crate::batch_order::gather(values, dim, classes);
        Ok(Self {
            dim: self.dim,
            weight: rows(&self.weight, self.dim),
            bias: rows(&self.bias, 1),
            alpha: rows(&self.alpha, 1),
            text_features: rows(&self.text_features, self.dim),
        })
    }
}

/// Validation features with their cosines, which no epoch changes.
struct Validation<'a> {
    unit: Vec<f32>,
    cosines: Vec<f32>,
    labels: &'a [usize],
}

impl<'a> Validation<'a> {
    fn new(features: &'a Features, head: &Lpp) -> Self {
        let unit = unit_rows(&features.values, head.dim);
        Self {
            cosines: rows_by_rows(&unit, &head.text_features, head.dim),
            unit,
            labels: &features.labels,
        }
    }

    fn right(&self, head: &Lpp) -> usize {
        let logits = head.logits_with(&self.unit, &self.cosines);
        right_rows(&logits, self.labels, head.classes())
    }
}

/// Rows of a block of which sums are taken.
const ROWS: usize = 512;

/// Loss and gradients at one point.
#[derive(Clone, Debug)]
pub struct LppGradient {
    /// Mean cross entropy.
    pub loss: f64,
    /// Of the weights, `[classes, dim]`.
    pub weight: Vec<f32>,
    /// Of the bias.
    pub bias: Vec<f32>,
    /// Of alpha, in this epoch alone.
    pub alpha: Vec<f32>,
}

/// The training of LP++, epoch by epoch.
#[derive(Clone, Debug)]
pub struct LppTraining {
    /// The head so far.
    pub head: Lpp,
    settings: LppSettings,
    /// `[rows, dim]`, of unit length.
    unit: Vec<f32>,
    /// `[rows, classes]` with the texts.
    cosines: Vec<f32>,
    labels: Vec<usize>,
    lr_weight: f64,
    lr_alpha: f64,
    epoch: usize,
    velocity: [Vec<f32>; 2],
    /// Gradient of alpha summed over all epochs: it is never cleared.
    alpha_gradient: Vec<f32>,
}

impl LppTraining {
    /// Weights, alpha and step sizes before the first epoch, with this bias.
    ///
    /// # Errors
    /// For bad settings or features, and a class without a training row.
    pub fn new(
        settings: &LppSettings,
        data: &FewShot<'_>,
        bias: &[f32],
    ) -> Result<Self, HeadError> {
        settings.check()?;
        data.check()?;
        let (dim, classes) = (data.train.dim, data.classes());
        check_unit("text features", data.text_features, dim)?;
        data.train.every_class(classes, "LP++")?;
        if bias.len() != classes {
            return Err(HeadError::Length {
                what: "initial bias",
                found: bias.len(),
                expected: format!("{classes} classes were given"),
            });
        }
        if bias.iter().any(|b| *b != 0.0) {
            check_rows("initial bias", bias, classes)?;
        }
        let unit = unit_rows(data.train.view(0), dim);
        let labels = data.train.labels.clone();
        let cosines = rows_by_rows(&unit, data.text_features, dim);
        let (rows, mut weight) = (labels.len(), vec![0.0_f64; classes * dim]);
        let (mut own, mut counts) = (vec![0.0_f64; classes], vec![0usize; classes]);
        let mut squares = vec![0.0_f64; classes];
        for (row, label) in labels.iter().enumerate() {
            let sum = &mut weight[label * dim..(label + 1) * dim];
            for (w, f) in sum.iter_mut().zip(&unit[row * dim..(row + 1) * dim]) {
                *w += f64::from(*f);
            }
            let cosines = &cosines[row * classes..(row + 1) * classes];
            own[*label] += f64::from(cosines[*label]);
            counts[*label] += 1;
            for (sum, cosine) in squares.iter_mut().zip(cosines) {
                *sum += f64::from(*cosine).powi(2);
            }
        }
        let mean_own = own
            .iter()
            .zip(&counts)
            .map(|(sum, n)| sum / *n as f64)
            .sum::<f64>()
            / classes as f64;
        let largest = squares.iter().copied().fold(0.0, f64::max);
        Ok(Self {
            head: Lpp {
                dim,
                weight: weight.iter().map(|w| *w as f32).collect(),
                bias: bias.to_vec(),
                alpha: vec![(settings.alpha_init * mean_own) as f32; classes],
                text_features: data.text_features.to_vec(),
            },
            settings: settings.clone(),
            lr_weight: 4.0 * rows as f64 / largest_eigenvalue_of_gram(&unit, dim),
            // No text is orthogonal to every row of every class but by accident; then alpha rests.
            lr_alpha: if largest > 0.0 {
                rows as f64 / (4.0 * largest)
            } else {
                0.0
            },
            unit,
            cosines,
            labels,
            epoch: 0,
            velocity: Default::default(),
            alpha_gradient: vec![0.0; classes],
        })
    }

    /// Learning rate of weights and bias: `4 N / largest eigenvalue of F'F`.
    pub fn lr_weight(&self) -> f64 {
        self.lr_weight
    }

    /// Learning rate of alpha: `N / (4 max_k sum_i (f_i . t_k)^2)`.
    pub fn lr_alpha(&self) -> f64 {
        self.lr_alpha
    }

    /// Loss and gradients at the head so far.
    pub fn gradient(&self) -> LppGradient {
        let classes = self.head.classes();
        let mut g = self.head.logits_with(&self.unit, &self.cosines);
        let loss = cross_entropy_backward(&mut g, &self.labels, classes);
        // Sums over blocks of rows, added in their order.
        let blocks = g
            .par_chunks(ROWS * classes)
            .zip(self.cosines.par_chunks(ROWS * classes));
        let blocks = blocks.map(|(g, cosines)| {
            let (mut bias, mut alpha) = (vec![0.0_f64; classes], vec![0.0_f64; classes]);
            for (g, cosines) in g.chunks_exact(classes).zip(cosines.chunks_exact(classes)) {
                for k in 0..classes {
                    bias[k] += f64::from(g[k]);
                    alpha[k] += f64::from(g[k]) * f64::from(cosines[k]);
                }
            }
            [bias, alpha]
        });
        let blocks: Vec<[Vec<f64>; 2]> = blocks.collect();
        let sums = |which: usize| {
            let sum = |k: usize| blocks.iter().map(|block| block[which][k]).sum::<f64>();
            (0..classes).map(|k| sum(k) as f32).collect()
        };
        LppGradient {
            loss,
            weight: columns_by_columns(&g, &self.unit, self.labels.len()),
            bias: sums(0),
            alpha: sums(1),
        }
    }

    /// One epoch; returns the loss before it.
    pub fn epoch(&mut self) -> f64 {
        let found = self.gradient();
        self.epoch += 1;
        let rates = (self.lr_weight, self.settings.momentum, 0.0);
        let [weight, bias] = &mut self.velocity;
        sgd_step(rates, &mut self.head.weight, &found.weight, weight);
        sgd_step(rates, &mut self.head.bias, &found.bias, bias);
        for (sum, g) in self.alpha_gradient.iter_mut().zip(&found.alpha) {
            *sum += g;
        }
        if self.epoch.is_multiple_of(self.settings.alpha_every) {
            let lr = self.lr_alpha as f32;
            for (alpha, sum) in self.head.alpha.iter_mut().zip(&self.alpha_gradient) {
                *alpha -= lr * sum;
            }
        }
        found.loss
    }
}
