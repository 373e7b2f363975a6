//! ZS-LP and CLAP (Silva-Rodríguez et al., CVPR 2024): class prototypes that start at the text features.
//!
//! Logits are `logit_scale` times the cosines of features and prototypes. ZS-LP trains the prototypes by
//! cross entropy. CLAP adds a penalty that holds each prototype `w_k` at its text feature `w0_k`, the more
//! so the better the zero-shot classifier knows the class:
//! `mean_k lambda_k |w_k - w0_k|^2`, `lambda_k` the mean softmax probability of class k over its own training
//! rows under `w0` (equations 5 to 8; `trainers/adapters.py`). The program's multipliers stay constant
//! for its published setting "l2", and so do ours. Nothing is selected: the last epoch is the result.
//!
//! **Defects that the published numbers have, and this has too**: the prototypes and the penalty live on the scale of
//! text features that are not of unit length (only the forward pass makes them unit), and of the stored
//! passes (20 there) an epoch takes only as many batches as one pass fills.

use serde::{Deserialize, Serialize};

use crate::batch_order::{BatchOrder, Shuffled, checked};
use crate::cross_entropy::{cross_entropy_backward, softmax};
use crate::epochs::run_epochs;
use crate::error::HeadError;
use crate::features::{FewShot, TrainFeatures, check_rows, check_scale};
use crate::fitted::{Fitted, Observer};
use crate::head::{Head, check_subset};
use crate::product::{columns_by_columns, rows_by_rows};
use crate::sgd::{SgdSettings, sgd_step};
use crate::tensors::{NamedTensor, Reader, tensor};
use crate::unit::{unit_rows, unit_rows_backward};

/// What holds the prototypes at the text features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Constraint {
    /// Nothing: ZS-LP.
    None,
    /// The penalty of CLAP.
    L2,
}

/// Settings of ZS-LP and CLAP; the default is CLAP as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClapSettings {
    /// What holds the prototypes.
    pub constraint: Constraint,
    /// The optimiser.
    pub sgd: SgdSettings,
}

impl ClapSettings {
    /// CLAP as published: SGD 0.1, momentum 0.9, no weight decay, batch 256, 300 epochs, one of warm-up.
    pub fn clap() -> Self {
        Self {
            constraint: Constraint::L2,
            sgd: SgdSettings {
                lr: 0.1,
                momentum: 0.9,
                weight_decay: 0.0,
                warmup_epochs: 1,
                warmup_lr: 1e-5,
                epochs: 300,
                batch_size: 256,
            },
        }
    }

    /// ZS-LP as published: CLAP without the penalty.
    pub fn zs_lp() -> Self {
        Self {
            constraint: Constraint::None,
            ..Self::clap()
        }
    }
}

impl Default for ClapSettings {
    fn default() -> Self {
        Self::clap()
    }
}

/// The head of ZS-LP and CLAP.
#[derive(Clone, Debug, PartialEq)]
pub struct Prototypes {
    dim: usize,
    prototypes: Vec<f32>,
    logit_scale: f32,
}

/// Names of the head's tensors.
const NAMES: &[&str] = &["prototypes", "logit_scale"];

impl Prototypes {
    /// The head with these prototypes `[classes, dim]`, of any length: the zero-shot classifier where they are text
    /// features.
    ///
    /// # Errors
    /// For prototypes that are not whole, finite rows, one of them zero, or a scale that is not above 0.
    pub fn new(prototypes: &[f32], dim: usize, logit_scale: f32) -> Result<Self, HeadError> {
        check_rows("prototypes", prototypes, dim)?;
        check_scale(logit_scale)?;
        Ok(Self {
            dim,
            prototypes: prototypes.to_vec(),
            logit_scale,
        })
    }

    /// The prototypes `[classes, dim]`, not of unit length.
    pub fn prototypes(&self) -> &[f32] {
        &self.prototypes
    }

    /// The factor between cosines and logits.
    pub fn logit_scale(&self) -> f32 {
        self.logit_scale
    }

    /// Trains the prototypes. The text features are **raw**: the mean over the templates of features that are not
    /// of unit length. All passes of the training features are used: their rows are one list, row
    /// `pass * images + image`, which each epoch shuffles, to take as many batches of it as one pass fills
    /// (an incomplete last batch is dropped, unless it is the only one). No figures.
    ///
    /// # Errors
    /// For bad input, where the training diverges, and where it is stopped. CLAP needs a training row of every class, ZS-LP does not:
    /// a class without rows starts at its text and is only pushed away.
    pub fn fit(
        settings: &ClapSettings,
        data: &FewShot<'_>,
        seed: u64,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        let (images, passes) = (data.train.rows(), data.train.passes());
        let order = Shuffled::from_all_passes(seed, images, passes, settings.sgd.batch_size);
        Self::fit_in_order(settings, data, &order, observer)
    }

    /// [`Prototypes::fit`] with the batches given.
    ///
    /// # Errors
    /// As [`Prototypes::fit`], and for an order that does not fit.
    pub fn fit_in_order(
        settings: &ClapSettings,
        data: &FewShot<'_>,
        order: &dyn BatchOrder,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        data.check()?;
        let train = data.train;
        let head = Self::new(data.text_features, train.dim, data.logit_scale)?;
        let mut training = ClapTraining::new(settings, head, train)?;
        let images = train.rows();
        run_epochs(
            &mut training,
            settings.sgd.epochs,
            |epoch| checked(order, epoch, images * train.passes()),
            |training, epoch, batch| {
                let rows: Vec<f32> = batch
                    .iter()
                    .flat_map(|row| {
                        let at = row % images * train.dim;
                        &train.view(row / images)[at..at + train.dim]
                    })
                    .copied()
                    .collect();
                let labels = batch.iter().map(|row| train.labels[row % images]);
                let labels: Vec<usize> = labels.collect();
                training.step(settings.sgd.learning_rate(epoch), &rows, &labels)
            },
            ClapTraining::is_finite,
            observer,
        )?;
        Ok(Fitted {
            head: training.head,
            figures: Vec::new(),
        })
    }
}

impl Head for Prototypes {
    fn classes(&self) -> usize {
        self.prototypes.len() / self.dim
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn logits_of_checked(&self, features: &[f32]) -> Vec<f32> {
        let features = unit_rows(features, self.dim);
        scaled_cosines(&features, &unit_rows(&self.prototypes, self.dim), self)
    }

    fn tensors(&self) -> Vec<NamedTensor<'static>> {
        vec![
            tensor("prototypes", &[self.classes(), self.dim], &self.prototypes),
            tensor("logit_scale", &[1], &[self.logit_scale]),
        ]
    }

    fn from_tensors(tensors: &[NamedTensor<'_>]) -> Result<Self, HeadError> {
        let tensors = Reader::new(tensors, NAMES)?;
        let (_, dim, prototypes) = tensors.matrix("prototypes")?;
        Self::new(&prototypes, dim, tensors.positive("logit_scale")?)
    }

    fn subset(&self, classes: &[usize]) -> Result<Self, HeadError> {
        check_subset(classes, self.classes())?;
        Ok(Self {
            prototypes: crate::batch_order::gather(&self.prototypes, self.dim, classes),
            ..self.clone()
        })
    }
}

fn scaled_cosines(unit_features: &[f32], unit_prototypes: &[f32], head: &Prototypes) -> Vec<f32> {
    let mut logits = rows_by_rows(unit_features, unit_prototypes, head.dim);
    logits.iter_mut().for_each(|l| *l *= head.logit_scale);
    logits
}

/// A loss and its gradient, `[classes, dim]`.
#[derive(Clone, Debug)]
pub struct PrototypeGradient {
    /// Cross entropy and penalty.
    pub loss: f64,
    /// Gradient of the prototypes.
    pub gradient: Vec<f32>,
}

/// The training of prototypes, step by step.
#[derive(Clone, Debug)]
pub struct ClapTraining {
    /// The head so far.
    pub head: Prototypes,
    start: Vec<f32>,
    multipliers: Vec<f32>,
    settings: ClapSettings,
    velocity: Vec<f32>,
}

impl ClapTraining {
    /// Begins at `head`, which holds the text features; the penalty's multipliers are computed from
    /// all passes of the training features.
    ///
    /// # Errors
    /// For bad settings or features, and for CLAP where a class has no training row.
    pub fn new(
        settings: &ClapSettings,
        head: Prototypes,
        train: &TrainFeatures,
    ) -> Result<Self, HeadError> {
        settings.sgd.check()?;
        train.check(head.dim, head.classes())?;
        let multipliers = match settings.constraint {
            Constraint::None => Vec::new(),
            Constraint::L2 => multipliers(&head, train)?,
        };
        Ok(Self {
            start: head.prototypes.clone(),
            head,
            multipliers,
            settings: settings.clone(),
            velocity: Vec::new(),
        })
    }

    /// The penalty's factor of each class; empty for ZS-LP.
    pub fn multipliers(&self) -> &[f32] {
        &self.multipliers
    }

    /// The penalty at the prototypes so far, 0 for ZS-LP.
    pub fn penalty(&self) -> f64 {
        let dim = self.head.dim;
        let rows = self
            .head
            .prototypes
            .chunks_exact(dim)
            .zip(self.start.chunks_exact(dim));
        let each = rows
            .zip(&self.multipliers)
            .map(|((now, start), multiplier)| {
                let squares = now.iter().zip(start).map(|(a, b)| f64::from(a - b).powi(2));
                f64::from(*multiplier) * squares.sum::<f64>()
            });
        each.sum::<f64>() / self.head.classes() as f64
    }

    /// Loss and gradient on a batch of features `[rows, dim]` (of any length) and their labels.
    ///
    /// # Errors
    /// For rows or labels that do not fit.
    pub fn gradient(&self, rows: &[f32], labels: &[usize]) -> Result<PrototypeGradient, HeadError> {
        let head = &self.head;
        let (dim, classes) = (head.dim, head.classes());
        crate::features::check_batch(rows, labels, dim, classes)?;
        let features = unit_rows(rows, dim);
        let unit = unit_rows(&head.prototypes, dim);
        let mut logits = scaled_cosines(&features, &unit, head);
        let loss = cross_entropy_backward(&mut logits, labels, classes);
        logits.iter_mut().for_each(|g| *g *= head.logit_scale);
        let mut gradient = columns_by_columns(&logits, &features, labels.len());
        unit_rows_backward(&head.prototypes, &unit, &mut gradient, dim);
        let drift = head.prototypes.iter().zip(&self.start).map(|(a, b)| a - b);
        for (i, (g, drift)) in gradient.iter_mut().zip(drift).enumerate() {
            if let Some(multiplier) = self.multipliers.get(i / dim) {
                *g += 2.0 * multiplier / classes as f32 * drift;
            }
        }
        Ok(PrototypeGradient {
            loss: loss + self.penalty(),
            gradient,
        })
    }

    /// One step at this learning rate; returns the loss before it.
    ///
    /// # Errors
    /// As [`ClapTraining::gradient`].
    pub fn step(&mut self, lr: f64, rows: &[f32], labels: &[usize]) -> Result<f64, HeadError> {
        let found = self.gradient(rows, labels)?;
        let sgd = &self.settings.sgd;
        sgd_step(
            (lr, sgd.momentum, sgd.weight_decay),
            &mut self.head.prototypes,
            &found.gradient,
            &mut self.velocity,
        );
        Ok(found.loss)
    }

    fn is_finite(&self) -> bool {
        self.head.prototypes.iter().all(|v| v.is_finite())
    }
}

/// Mean probability of each class over its own rows, under the head.
fn multipliers(head: &Prototypes, train: &TrainFeatures) -> Result<Vec<f32>, HeadError> {
    let classes = head.classes();
    train.every_class(classes, "CLAP")?;
    let (mut sums, mut rows) = (vec![0.0_f64; classes], vec![0usize; classes]);
    for view in &train.views {
        let mut probabilities = head.logits_of_checked(view);
        softmax(&mut probabilities, classes);
        for (row, label) in probabilities.chunks_exact(classes).zip(&train.labels) {
            sums[*label] += f64::from(row[*label]);
            rows[*label] += 1;
        }
    }
    Ok(sums
        .iter()
        .zip(&rows)
        .map(|(sum, n)| (sum / *n as f64) as f32)
        .collect())
}
