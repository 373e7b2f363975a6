//! Writes a training run as an event file of TensorBoard.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use promptsrc::{Adapter, Event, LossTerm, MethodConfig, loss_terms};
use promptsrc_tensorboard::{EventFile, EventFileError};

/// The event file of a training run. It is created with the first value, so that a run which is finished
/// already leaves none.
pub struct TensorBoard {
    folder: PathBuf,
    terms: Vec<LossTerm>,
    /// Steps of an epoch; 0 for a head, whose epochs are counted instead.
    steps: usize,
    /// The last step with a value.
    last: u64,
    file: Option<EventFile>,
    failed: Option<EventFileError>,
}

impl TensorBoard {
    /// The event file of a run with this configuration, in this folder.
    pub fn new(folder: &Path, config: &MethodConfig) -> Self {
        Self {
            folder: folder.to_path_buf(),
            terms: config.prompts().map(loss_terms).unwrap_or_default(),
            steps: 0,
            last: 0,
            file: None,
            failed: None,
        }
    }

    /// Writes what an event says. A training does not end where that fails: [`end`](Self::end) says so.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Start { steps, .. } => self.steps = *steps,
            Event::Step {
                epoch,
                step,
                losses,
            } => {
                let values = self.terms.iter().map(|term| {
                    let value = (term.value)(losses);
                    (format!("loss/{}", term.key), value)
                });
                let values = values.collect();
                let step = epoch.saturating_sub(1) * self.steps + step;
                self.write(step as u64, values);
            }
            Event::Epoch {
                epoch, lr, losses, ..
            } => {
                let values = vec![
                    ("learning_rate".to_string(), *lr as f32),
                    ("epoch/mean_loss".to_string(), losses.total),
                    ("epoch/number".to_string(), *epoch as f32),
                ];
                self.write((epoch * self.steps) as u64, values);
            }
            Event::Fit { epoch, loss, .. } => {
                self.write(
                    *epoch as u64,
                    vec![("loss/total".to_string(), *loss as f32)],
                );
            }
            Event::Texts { .. } | Event::Features { .. } | Event::End { .. } => {}
        }
    }

    /// The first error of any event.
    pub fn failed(&self) -> Option<&EventFileError> {
        self.failed.as_ref()
    }

    /// Writes the accuracies that the training has measured, which a head's search does.
    ///
    /// # Errors
    /// The first error of any event.
    pub fn end(mut self, adapter: &Adapter) -> Result<(), EventFileError> {
        let metrics = adapter.meta.metrics.iter();
        let accuracies = metrics.filter(|(name, _)| name.contains("accuracy"));
        let values: Vec<_> = accuracies
            .map(|(name, value)| (format!("metrics/{name}"), *value as f32))
            .collect();
        if !values.is_empty() {
            self.write(self.last.max(1), values);
        }
        match self.failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn write(&mut self, step: u64, values: Vec<(String, f32)>) {
        if self.failed.is_some() {
            return;
        }
        self.last = self.last.max(step);
        if let Err(error) = self.try_to_write(step, &values) {
            self.failed = Some(error);
        }
    }

    fn try_to_write(&mut self, step: u64, values: &[(String, f32)]) -> Result<(), EventFileError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0.0, |since| since.as_secs_f64());
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = EventFile::create(&self.folder, now)?;
                file.begin(step, now)?;
                self.file.insert(file)
            }
        };
        let values = values.iter().map(|(tag, value)| (tag.as_str(), *value));
        file.scalars(step, now, values)
    }
}
