//! A wish to stop: long computations of this process end at the next step or batch, with what they
//! have saved whole.
//!
//! Signals are of a process, and so is this. A training saves its state before it ends, in the middle of
//! an epoch as well; see [`RunSpec::train_in`](crate::RunSpec::train_in).

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Asks the computations of this process to stop. They end with an error that says so.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Takes the request back: what is started from now on runs.
pub fn withdraw() {
    REQUESTED.store(false, Ordering::Relaxed);
}

/// Whether computations are asked to stop.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
