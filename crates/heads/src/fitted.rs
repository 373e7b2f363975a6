//! What a fit gives: the head, what it selected, and word of its progress on the way, to whoever may stop it.

use crate::error::HeadError;

/// A fitted head and the numbers that the fit chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted<H> {
    /// The head.
    pub head: H,
    /// What was selected, by name; each method says which.
    pub figures: Vec<(&'static str, f64)>,
}

impl<H> Fitted<H> {
    /// The figure of that name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let found = self.figures.iter().find(|(figure, _)| *figure == name);
        found.map(|(_, value)| *value)
    }
}

/// How far a fit has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The epoch that ended, from 1; for the linear probe the fit with one value of C.
    pub epoch: usize,
    /// Number of epochs.
    pub epochs: usize,
    /// Mean loss of the epoch's steps.
    pub loss: f64,
}

/// Who watches a fit. Any function of its [`Progress`] does, and lets it come to its end.
pub trait Observer {
    /// Receives word of the progress.
    fn progress(&mut self, progress: Progress);

    /// Whether the fit shall end without a result; it is asked before each step.
    fn should_stop(&self) -> bool {
        false
    }
}

impl<F: FnMut(Progress)> Observer for F {
    fn progress(&mut self, progress: Progress) {
        self(progress);
    }
}

/// # Errors
/// [`HeadError::Stopped`] if the fit shall end.
pub(crate) fn go_on(observer: &dyn Observer) -> Result<(), HeadError> {
    match observer.should_stop() {
        true => Err(HeadError::Stopped),
        false => Ok(()),
    }
}
