//! A program that calls the command within its own process, and what passes between them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use promptsrc::{Clip, Dataset, Event};

/// Receives the events of a training.
pub type Observer = dyn FnMut(&Event) + Send;

/// What a program gives to a command.
#[derive(Clone, Default)]
pub struct Host {
    /// A CLIP that is open, for the command to use instead of opening it.
    pub clip: Option<Clip>,
    /// Labelled images in memory, in the place of `--data`.
    pub dataset: Option<Dataset>,
    /// Observes a training.
    pub observe: Option<Arc<Mutex<Observer>>>,
}

/// What a command gives back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What it would print on standard output.
    pub result: String,
    /// What it would say on standard error.
    pub warnings: Vec<String>,
}

impl Host {
    /// Tells the program of an event of a training.
    pub(crate) fn tell(&self, event: &Event) {
        if let Some(observe) = &self.observe {
            let mut observe = observe.lock().unwrap_or_else(PoisonError::into_inner);
            (*observe)(event);
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clip, dataset, .. } = self;
        f.debug_struct("Host")
            .field("clip", &clip.as_ref().map(Clip::source))
            .field("dataset", &dataset.as_ref().map(|set| &set.name))
            .finish_non_exhaustive()
    }
}
