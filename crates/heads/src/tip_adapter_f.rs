//! Tip-Adapter-F: the keys of Tip-Adapter's cache, trained.
//!
//! AdamW on the keys with its decoupled weight decay, a cosine over all steps without warm-up, at the first alpha and
//! beta; these are searched afterwards. Keys are not made unit again (`main.py`).
//!
//! The program keeps the keys of the epoch that is best on the *test* set, and prints the larger of that accuracy and of the
//! searched one: here the keys of the last epoch are the result, and the search is on validation features.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::adamw::{AdamWSettings, Moments};
use crate::batch_order::{BatchOrder, Shuffled, checked};
use crate::cross_entropy::cross_entropy_backward;
use crate::epochs::run_epochs;
use crate::error::HeadError;
use crate::features::{FewShot, check_batch};
use crate::fitted::{Fitted, Observer};
use crate::head::Head;
use crate::product::columns_by_columns;
use crate::sgd::at_least_one;
use crate::tip_adapter::{TipAdapter, TipAdapterSettings};
use crate::unit::unit_rows;

/// Settings of Tip-Adapter-F; the default is that for ImageNet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TipAdapterFSettings {
    /// Cache and search.
    pub tip_adapter: TipAdapterSettings,
    /// The optimiser.
    pub adamw: AdamWSettings,
    /// Epochs.
    pub epochs: usize,
    /// Rows in a step.
    pub batch_size: usize,
}

impl Default for TipAdapterFSettings {
    fn default() -> Self {
        Self::published("ImageNet")
    }
}

impl TipAdapterFSettings {
    /// The published settings of a data set by the name that the paper or its program gives it; those of ImageNet
    /// for any other, which no publication covers. EuroSAT has 100 epochs, all others 20.
    pub fn published(data_set: &str) -> Self {
        Self {
            tip_adapter: TipAdapterSettings::published(data_set),
            adamw: AdamWSettings {
                lr: 1e-3,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-4,
                weight_decay: 0.01,
            },
            epochs: if data_set == "EuroSAT" { 100 } else { 20 },
            batch_size: 256,
        }
    }

    fn check(&self) -> Result<(), HeadError> {
        at_least_one("epochs", self.epochs)?;
        at_least_one("batch_size", self.batch_size)?;
        self.tip_adapter.check()?;
        self.adamw.check()
    }
}

impl TipAdapter {
    /// Makes the cache, trains its keys and then chooses alpha and beta, as [`TipAdapter::fit`] does.
    ///
    /// The text features are **unit** rows. The cache is of all passes; epoch e (from 0) trains on pass
    /// `e % passes`, as the program takes new crops in each epoch. An incomplete last batch is kept. Figures: as
    /// [`TipAdapter::fit`].
    ///
    /// # Errors
    /// For bad input, where the training diverges, and where it is stopped. A class may be without training rows.
    pub fn fit_keys(
        settings: &TipAdapterFSettings,
        data: &FewShot<'_>,
        seed: u64,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        let order = Shuffled::all_rows(seed, data.train.rows(), settings.batch_size);
        Self::fit_keys_from(settings, data, None, &order, observer)
    }

    /// [`TipAdapter::fit_keys`] from a given cache, where there is one, with the batches given.
    ///
    /// # Errors
    /// As [`TipAdapter::fit_keys`], and for an order that does not fit.
    pub fn fit_keys_from(
        settings: &TipAdapterFSettings,
        data: &FewShot<'_>,
        start: Option<Self>,
        order: &dyn BatchOrder,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        let cache = Self::cache(&settings.tip_adapter, data)?;
        let train = data.train;
        let batches = (0..settings.epochs)
            .map(|epoch| checked(order, epoch, train.rows()))
            .collect::<Result<Vec<_>, _>>()?;
        let steps = batches.iter().map(Vec::len).sum();
        let mut training = TipAdapterTraining::new(settings, start.unwrap_or(cache), steps)?;
        run_epochs(
            &mut training,
            settings.epochs,
            |epoch| Ok(batches[epoch].clone()),
            |training, epoch, batch| {
                let (rows, labels) = train.batch(epoch, batch);
                training.step(&rows, &labels)
            },
            |training| training.head.keys.iter().all(|v| v.is_finite()),
            observer,
        )?;
        training
            .head
            .selected(&settings.tip_adapter, data, observer)
    }
}

/// Loss and gradient on a batch.
#[derive(Clone, Debug)]
pub struct KeyGradient {
    /// Mean cross entropy.
    pub loss: f64,
    /// Of the keys, `[cached rows, dim]`.
    pub keys: Vec<f32>,
}

/// The training of the keys, step by step.
#[derive(Clone, Debug)]
pub struct TipAdapterTraining {
    /// The head so far, at the first alpha and beta.
    pub head: TipAdapter,
    settings: TipAdapterFSettings,
    moments: Moments,
    step: usize,
    steps: usize,
}

impl TipAdapterTraining {
    /// Begins with this cache, for a training of `steps` steps.
    ///
    /// # Errors
    /// For bad settings.
    pub fn new(
        settings: &TipAdapterFSettings,
        cache: TipAdapter,
        steps: usize,
    ) -> Result<Self, HeadError> {
        settings.check()?;
        Ok(Self {
            head: cache,
            settings: settings.clone(),
            moments: Moments::default(),
            step: 0,
            steps: steps.max(1),
        })
    }

    /// Learning rate of the next step: a cosine from the first step to beyond the last.
    pub fn learning_rate(&self) -> f64 {
        let clock = self.step as f64 / self.steps as f64;
        self.settings.adamw.lr * 0.5 * (1.0 + (std::f64::consts::PI * clock).cos())
    }

    /// Loss and gradient on a batch of features `[rows, dim]` (of any length) and their labels.
    ///
    /// # Errors
    /// For rows or labels that do not fit.
    pub fn gradient(&self, rows: &[f32], labels: &[usize]) -> Result<KeyGradient, HeadError> {
        let head = &self.head;
        let (dim, classes, cached) = (head.dim(), head.classes(), head.labels().len());
        check_batch(rows, labels, dim, classes)?;
        let unit = unit_rows(rows, dim);
        // Weights `[rows, cached rows]`.
        let (mut logits, mut weights) = head.logits_and_weights(&unit);
        let loss = cross_entropy_backward(&mut logits, labels, classes);
        let factor = head.alpha() * head.beta();
        let rows = logits
            .par_chunks(classes)
            .zip(weights.par_chunks_mut(cached));
        rows.for_each(|(g, weights)| {
            for (w, label) in weights.iter_mut().zip(head.labels()) {
                *w *= factor * g[*label];
            }
        });
        Ok(KeyGradient {
            loss,
            keys: columns_by_columns(&weights, &unit, labels.len()),
        })
    }

    /// One step; returns the loss before it.
    ///
    /// # Errors
    /// As [`TipAdapterTraining::gradient`].
    pub fn step(&mut self, rows: &[f32], labels: &[usize]) -> Result<f64, HeadError> {
        let found = self.gradient(rows, labels)?;
        let lr = self.learning_rate();
        self.moments
            .step(&self.settings.adamw, lr, &mut self.head.keys, &found.keys);
        self.step += 1;
        Ok(found.loss)
    }
}
