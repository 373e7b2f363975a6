//! The events that a run reports. The caller decides how to show them.

use serde::{Deserialize, Serialize};

use crate::losses::LossValues;

/// An event of a run. The log of a run contains its events as JSON, one per line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Before the start, the frozen CLIP encodes the templates' texts. The log does not contain it.
    Texts {
        /// Number of texts that are encoded.
        done: usize,
        /// Number of all.
        total: usize,
    },
    /// A feature method encodes the training and validation images. The log does not contain it.
    Features {
        /// Number of images that are encoded, each pass counted.
        done: usize,
        /// Number of all.
        total: usize,
    },
    /// An epoch of a head's fit is finished; for the linear probe, the fit with one penalty.
    Fit {
        /// The epoch, from 1.
        epoch: usize,
        /// Number of epochs.
        epochs: usize,
        /// Mean loss over its steps.
        loss: f64,
    },
    /// The run starts or resumes.
    Start {
        /// The method.
        method: String,
        /// Number of classes.
        classes: usize,
        /// Images that are trained on.
        images: usize,
        /// Number of learned values.
        parameters: usize,
        /// Total number of epochs.
        epochs: usize,
        /// Steps per epoch.
        steps: usize,
        /// Epochs that an earlier process has finished.
        finished: usize,
    },
    /// A step is finished.
    Step {
        /// The epoch, from 1.
        epoch: usize,
        /// The step in it, from 1.
        step: usize,
        /// Its losses.
        #[serde(flatten)]
        losses: LossValues,
    },
    /// An epoch is finished. In a run folder, its state is saved next.
    Epoch {
        /// The epoch, from 1.
        epoch: usize,
        /// Its learning rate.
        lr: f64,
        /// Mean losses over its steps.
        #[serde(flatten)]
        losses: LossValues,
        /// Seconds it took.
        seconds: f64,
    },
    /// The run has ended.
    End {
        /// Seconds since this process started the run.
        seconds: f64,
    },
}

impl Event {
    /// Whether an event is from before a state with so many finished epochs, and so many finished steps
    /// of the next.
    pub fn is_before(&self, epochs: usize, steps: usize) -> bool {
        match self {
            Event::Step { epoch, step, .. } if *epoch == epochs + 1 => *step <= steps,
            event => event.epoch().is_none_or(|epoch| epoch <= epochs),
        }
    }

    /// The epoch that an event belongs to.
    pub fn epoch(&self) -> Option<usize> {
        match self {
            Event::Step { epoch, .. } | Event::Epoch { epoch, .. } | Event::Fit { epoch, .. } => {
                Some(*epoch)
            }
            Event::Texts { .. }
            | Event::Features { .. }
            | Event::Start { .. }
            | Event::End { .. } => None,
        }
    }
}
