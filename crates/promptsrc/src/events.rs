//! What a run reports while it works. The library draws nothing: the caller does.

use serde::{Deserialize, Serialize};

use crate::losses::LossValues;

/// Something that happened in a run. As JSON, one a line, these are the run's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run begins, or goes on.
    Start {
        /// The method.
        method: String,
        /// Number of classes.
        classes: usize,
        /// Images that are trained on.
        images: usize,
        /// Learned values.
        parameters: usize,
        /// Epochs in all.
        epochs: usize,
        /// Steps an epoch.
        steps: usize,
        /// Epochs that an earlier process has finished.
        finished: usize,
    },
    /// A step is done.
    Step {
        /// The epoch, from 1.
        epoch: usize,
        /// The step in it, from 1.
        step: usize,
        /// Its losses.
        #[serde(flatten)]
        losses: LossValues,
    },
    /// An epoch is done and, in a run folder, saved.
    Epoch {
        /// The epoch, from 1.
        epoch: usize,
        /// Its learning rate.
        lr: f64,
        /// Means of its losses.
        #[serde(flatten)]
        losses: LossValues,
        /// Seconds it took.
        seconds: f64,
    },
    /// The run has ended.
    End {
        /// Seconds that this process worked.
        seconds: f64,
    },
}

impl Event {
    /// The epoch that an event belongs to.
    pub fn epoch(&self) -> Option<usize> {
        match self {
            Event::Step { epoch, .. } | Event::Epoch { epoch, .. } => Some(*epoch),
            Event::Start { .. } | Event::End { .. } => None,
        }
    }
}
