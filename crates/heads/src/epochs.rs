//! The epochs of a fit by steps: batches in an order, the mean loss of each epoch, its end if it diverges.

use crate::error::HeadError;
use crate::fitted::{Observer, Progress, go_on};

/// Makes the steps of all epochs, which count from 0. `batches` gives those of one; `step` returns the loss
/// before it; `is_finite` says whether all learned values are.
///
/// # Errors
/// Those of a step or of `batches`, [`HeadError::Diverged`] and [`HeadError::Stopped`].
pub(crate) fn run_epochs<T>(
    training: &mut T,
    epochs: usize,
    batches: impl Fn(usize) -> Result<Vec<Vec<usize>>, HeadError>,
    step: impl Fn(&mut T, usize, &[usize]) -> Result<f64, HeadError>,
    is_finite: impl Fn(&T) -> bool,
    observer: &mut dyn Observer,
) -> Result<(), HeadError> {
    for epoch in 0..epochs {
        let batches = batches(epoch)?;
        let mut loss = 0.0;
        for batch in &batches {
            go_on(observer)?;
            loss += step(training, epoch, batch)?;
        }
        let loss = loss / batches.len() as f64;
        let epoch = epoch + 1;
        if !loss.is_finite() || !is_finite(training) {
            return Err(HeadError::Diverged { epoch });
        }
        observer.progress(Progress {
            epoch,
            epochs,
            loss,
        });
    }
    Ok(())
}
