//! CLIP-Adapter (Gao et al., IJCV 2023): a small network on the image features, for the texts of any classes.
//!
//! `x = ratio * relu(W2 relu(W1 f)) + (1 - ratio) * f`, made unit; logits are `logit_scale` times the
//! cosines of `x` and the text features (`clip_adapter.py`; equations 4 and 6 of the paper). `f` is the feature as CLIP gives it, not of
//! unit length; without biases the network is homogeneous, so that unit features would give the same logits.
//!
//! The authors published no settings. The defaults are those with which it was run again beside prompt learning
//! (Skip-Tuning's code). Nothing is selected: the last epoch is the result.

use promptsrc_learning::random::Stream;
use serde::{Deserialize, Serialize};

use crate::batch_order::{BatchOrder, Shuffled, checked};
use crate::cross_entropy::cross_entropy_backward;
use crate::epochs::run_epochs;
use crate::error::HeadError;
use crate::features::{FewShot, check_batch, check_rows, check_scale};
use crate::fitted::{Fitted, Observer};
use crate::product::{columns_by_columns, rows_by_columns, rows_by_rows};
use crate::sgd::{SgdSettings, at_least_one, sgd_step};
use crate::tensors::{NamedTensor, Reader, tensor};
use crate::unit::{unit_rows, unit_rows_backward};

/// Settings of CLIP-Adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClipAdapterSettings {
    /// Share of the network's output; the rest is the feature itself.
    pub ratio: f64,
    /// How many times fewer the hidden numbers are.
    pub reduction: usize,
    /// The optimiser.
    pub sgd: SgdSettings,
}

impl Default for ClipAdapterSettings {
    fn default() -> Self {
        Self {
            ratio: 0.2,
            reduction: 4,
            sgd: SgdSettings {
                lr: 0.002,
                momentum: 0.9,
                weight_decay: 5e-4,
                warmup_epochs: 1,
                warmup_lr: 1e-5,
                epochs: 100,
                batch_size: 32,
            },
        }
    }
}

impl ClipAdapterSettings {
    fn check(&self) -> Result<(), HeadError> {
        at_least_one("reduction", self.reduction)?;
        if !(0.0..=1.0).contains(&self.ratio) {
            return Err(HeadError::Setting {
                name: "ratio",
                found: self.ratio.to_string(),
                expected: "a number from 0 to 1",
            });
        }
        self.sgd.check()
    }

    fn hidden(&self, dim: usize) -> Result<usize, HeadError> {
        at_least_one("reduction", self.reduction)?;
        match dim / self.reduction {
            0 => Err(HeadError::Setting {
                name: "reduction",
                found: self.reduction.to_string(),
                expected: "no more than the features have numbers",
            }),
            hidden => Ok(hidden),
        }
    }
}

/// The adapter: a head without classes of its own, which are those of the text features that it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipAdapter {
    dim: usize,
    hidden: usize,
    /// `[hidden, dim]`.
    down: Vec<f32>,
    /// `[dim, hidden]`.
    up: Vec<f32>,
    ratio: f32,
    logit_scale: f32,
}

const DOWN: &str = "adapter.fc.0.weight";
const UP: &str = "adapter.fc.2.weight";
/// Names of the adapter's tensors; those of the weights are the program's.
const NAMES: &[&str] = &[DOWN, UP, "ratio", "logit_scale"];

impl ClipAdapter {
    /// Random weights as PyTorch's linear layers have them, uniform between -1/sqrt(inputs) and 1/sqrt(inputs).
    ///
    /// # Errors
    /// For settings or a scale outside their ranges.
    pub fn initial(
        settings: &ClipAdapterSettings,
        dim: usize,
        logit_scale: f32,
        seed: u64,
    ) -> Result<Self, HeadError> {
        let hidden = settings.hidden(dim)?;
        let uniform = |name: &str, inputs: usize| {
            let bound = 1.0 / (inputs as f64).sqrt();
            Stream::new(seed, name).uniform(bound, dim * hidden)
        };
        let (down, up) = (uniform(DOWN, dim), uniform(UP, hidden));
        Self::new(settings, dim, logit_scale, down, up)
    }

    /// The adapter with these weights, `[hidden, dim]` and `[dim, hidden]`.
    ///
    /// # Errors
    /// For settings or a scale outside their ranges, and weights of another size.
    pub fn new(
        settings: &ClipAdapterSettings,
        dim: usize,
        logit_scale: f32,
        down: Vec<f32>,
        up: Vec<f32>,
    ) -> Result<Self, HeadError> {
        settings.check()?;
        check_scale(logit_scale)?;
        let hidden = settings.hidden(dim)?;
        for (what, values) in [("weights of fc.0", &down), ("weights of fc.2", &up)] {
            if values.len() != hidden * dim {
                return Err(HeadError::Length {
                    what,
                    found: values.len(),
                    expected: format!("{hidden} times {dim} were expected"),
                });
            }
        }
        Ok(Self {
            dim,
            hidden,
            down,
            up,
            ratio: settings.ratio as f32,
            logit_scale,
        })
    }

    /// Trains the adapter. The text features, one for each class, may have any length; they are made unit. Epoch e
    /// (from 0) takes pass `e % passes` of the training features, as the program takes new crops in each epoch; an
    /// incomplete last batch is dropped, unless it is the only one. No figures.
    ///
    /// # Errors
    /// For bad input, where the training diverges, and where it is stopped. A class may be without training rows.
    pub fn fit(
        settings: &ClipAdapterSettings,
        data: &FewShot<'_>,
        seed: u64,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        let start = Self::initial(settings, data.train.dim, data.logit_scale, seed)?;
        let order = Shuffled::whole_batches(seed, data.train.rows(), settings.sgd.batch_size);
        Self::fit_from(settings, data, start, &order, observer)
    }

    /// [`ClipAdapter::fit`] from these weights, with the batches given.
    ///
    /// # Errors
    /// As [`ClipAdapter::fit`], and for an order that does not fit.
    pub fn fit_from(
        settings: &ClipAdapterSettings,
        data: &FewShot<'_>,
        start: Self,
        order: &dyn BatchOrder,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        data.check()?;
        let train = data.train;
        let mut training = ClipAdapterTraining::new(settings, start, data.text_features)?;
        run_epochs(
            &mut training,
            settings.sgd.epochs,
            |epoch| checked(order, epoch, train.rows()),
            |training, epoch, batch| {
                let (rows, labels) = train.batch(epoch, batch);
                training.step(settings.sgd.learning_rate(epoch), &rows, &labels)
            },
            ClipAdapterTraining::is_finite,
            observer,
        )?;
        Ok(Fitted {
            head: training.head,
            figures: Vec::new(),
        })
    }

    /// Width of the layer between.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Weights of the first layer, `[hidden, dim]`.
    pub fn down(&self) -> &[f32] {
        &self.down
    }

    /// Weights of the second layer, `[dim, hidden]`.
    pub fn up(&self) -> &[f32] {
        &self.up
    }

    /// Share of the network's output in the blended feature.
    pub fn ratio(&self) -> f32 {
        self.ratio
    }

    /// The factor between cosines and logits.
    pub fn logit_scale(&self) -> f32 {
        self.logit_scale
    }

    /// Numbers in a row of features.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Logits `[rows, classes]` of features `[rows, dim]`, as CLIP gives them, for the classes of the text features
    /// `[classes, dim]`, of any length.
    ///
    /// # Errors
    /// For anything but whole, finite rows that are not zero.
    pub fn logits(&self, features: &[f32], text_features: &[f32]) -> Result<Vec<f32>, HeadError> {
        check_rows("features", features, self.dim)?;
        check_rows("text features", text_features, self.dim)?;
        let unit_text = unit_rows(text_features, self.dim);
        Ok(self.forward(features, &unit_text).logits)
    }

    /// All that the adapter is, as named tensors.
    pub fn tensors(&self) -> Vec<NamedTensor<'static>> {
        vec![
            tensor(DOWN, &[self.hidden, self.dim], &self.down),
            tensor(UP, &[self.dim, self.hidden], &self.up),
            tensor("ratio", &[1], &[self.ratio]),
            tensor("logit_scale", &[1], &[self.logit_scale]),
        ]
    }

    /// The adapter of such tensors.
    ///
    /// # Errors
    /// Where a tensor is missing, unknown, of another shape or not finite; the error names it.
    pub fn from_tensors(tensors: &[NamedTensor<'_>]) -> Result<Self, HeadError> {
        let tensors = Reader::new(tensors, NAMES)?;
        let (hidden, dim, down) = tensors.matrix(DOWN)?;
        let ratio = tensors.number("ratio")?;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(HeadError::TensorValue {
                name: "ratio",
                found: ratio,
                expected: "a number from 0 to 1",
            });
        }
        Ok(Self {
            dim,
            hidden,
            down,
            up: tensors.shaped(UP, &[dim, hidden])?,
            ratio,
            logit_scale: tensors.positive("logit_scale")?,
        })
    }

    fn forward(&self, features: &[f32], unit_text: &[f32]) -> Forward {
        // [rows, hidden]
        let mut hidden = rows_by_rows(features, &self.down, self.dim);
        relu(&mut hidden);
        // [rows, dim]
        let mut out = rows_by_rows(&hidden, &self.up, self.hidden);
        relu(&mut out);
        let rest = (1.0 - f64::from(self.ratio)) as f32;
        let blended: Vec<f32> = out
            .iter()
            .zip(features)
            .map(|(x, f)| self.ratio * x + rest * f)
            .collect();
        let unit = unit_rows(&blended, self.dim);
        // [rows, classes]
        let mut logits = rows_by_rows(&unit, unit_text, self.dim);
        logits.iter_mut().for_each(|l| *l *= self.logit_scale);
        Forward {
            hidden,
            out,
            blended,
            unit,
            logits,
        }
    }
}

/// What the backward pass needs again.
struct Forward {
    hidden: Vec<f32>,
    out: Vec<f32>,
    blended: Vec<f32>,
    unit: Vec<f32>,
    logits: Vec<f32>,
}

fn relu(values: &mut [f32]) {
    values.iter_mut().for_each(|v| *v = v.max(0.0));
}

/// Zeros a gradient where the relu's output is zero.
fn relu_backward(output: &[f32], gradient: &mut [f32]) {
    for (g, v) in gradient.iter_mut().zip(output) {
        if *v <= 0.0 {
            *g = 0.0;
        }
    }
}

/// Loss and gradients on a batch.
#[derive(Clone, Debug)]
pub struct ClipAdapterGradient {
    /// Mean cross entropy.
    pub loss: f64,
    /// Of `adapter.fc.0.weight`, `[hidden, dim]`.
    pub down: Vec<f32>,
    /// Of `adapter.fc.2.weight`, `[dim, hidden]`.
    pub up: Vec<f32>,
}

/// The training of an adapter, step by step.
#[derive(Clone, Debug)]
pub struct ClipAdapterTraining {
    /// The adapter so far.
    pub head: ClipAdapter,
    settings: ClipAdapterSettings,
    unit_text: Vec<f32>,
    velocity: [Vec<f32>; 2],
}

impl ClipAdapterTraining {
    /// Begins with `head`, for these text features `[classes, dim]`, of any length.
    ///
    /// # Errors
    /// For bad settings or text features.
    pub fn new(
        settings: &ClipAdapterSettings,
        head: ClipAdapter,
        text_features: &[f32],
    ) -> Result<Self, HeadError> {
        settings.check()?;
        check_rows("text features", text_features, head.dim)?;
        Ok(Self {
            unit_text: unit_rows(text_features, head.dim),
            head,
            settings: settings.clone(),
            velocity: Default::default(),
        })
    }

    /// Loss and gradients on a batch of features `[rows, dim]` and their labels.
    ///
    /// # Errors
    /// For rows or labels that do not fit.
    pub fn gradient(
        &self,
        rows: &[f32],
        labels: &[usize],
    ) -> Result<ClipAdapterGradient, HeadError> {
        let head = &self.head;
        let classes = self.unit_text.len() / head.dim;
        check_batch(rows, labels, head.dim, classes)?;
        let mut forward = head.forward(rows, &self.unit_text);
        let loss = cross_entropy_backward(&mut forward.logits, labels, classes);
        forward
            .logits
            .iter_mut()
            .for_each(|g| *g *= head.logit_scale);
        // [rows, dim]
        let mut g = rows_by_columns(&forward.logits, &self.unit_text, classes);
        unit_rows_backward(&forward.blended, &forward.unit, &mut g, head.dim);
        g.iter_mut().for_each(|g| *g *= head.ratio);
        relu_backward(&forward.out, &mut g);
        let up = columns_by_columns(&g, &forward.hidden, labels.len());
        // [rows, hidden]
        let mut g = rows_by_columns(&g, &head.up, head.dim);
        relu_backward(&forward.hidden, &mut g);
        Ok(ClipAdapterGradient {
            loss,
            down: columns_by_columns(&g, rows, labels.len()),
            up,
        })
    }

    /// One step at this learning rate; returns the loss before it.
    ///
    /// # Errors
    /// As [`ClipAdapterTraining::gradient`].
    pub fn step(&mut self, lr: f64, rows: &[f32], labels: &[usize]) -> Result<f64, HeadError> {
        let found = self.gradient(rows, labels)?;
        let sgd = &self.settings.sgd;
        let rates = (lr, sgd.momentum, sgd.weight_decay);
        let [down, up] = &mut self.velocity;
        sgd_step(rates, &mut self.head.down, &found.down, down);
        sgd_step(rates, &mut self.head.up, &found.up, up);
        Ok(found.loss)
    }

    fn is_finite(&self) -> bool {
        let mut weights = self.head.down.iter().chain(&self.head.up);
        weights.all(|v| v.is_finite())
    }
}
