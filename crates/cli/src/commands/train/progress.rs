//! Shows the progress of a training run: a bar on a terminal, and a line per epoch.

use indicatif::ProgressBar;
use promptsrc::Event;
use promptsrc::losses::LossValues;

use crate::output::Printer;

/// The progress of a training run, with its duration and its last losses.
pub struct TrainProgress {
    printer: Printer,
    bar: ProgressBar,
    epochs: usize,
    /// Seconds that the training took.
    pub seconds: f64,
    /// Mean losses of the last epoch; `None` if this process did not train an epoch.
    pub losses: Option<LossValues>,
    /// The last loss of a head's fit.
    pub fitted: Option<f64>,
}

impl TrainProgress {
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            bar: ProgressBar::hidden(),
            epochs: 0,
            seconds: 0.0,
            losses: None,
            fitted: None,
        }
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| self.printer.note(text));
    }

    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Texts { done, total } => {
                if self.bar.length() != Some(*total as u64) {
                    self.bar = self.printer.bar(*total as u64, "texts of the templates");
                }
                self.bar.set_position(*done as u64);
            }
            Event::Features { done, total } => {
                if *done <= 1 || self.bar.length() != Some(*total as u64) {
                    self.bar.finish_and_clear();
                    self.bar = self.printer.bar(*total as u64, "images encoded");
                }
                self.bar.set_position(*done as u64);
                if done == total {
                    self.bar.finish_and_clear();
                }
            }
            Event::Fit {
                epoch,
                epochs,
                loss,
            } => {
                // A line now and then: there may be hundreds.
                if epoch == epochs || *epoch % epochs.div_ceil(10).max(1) == 0 {
                    let width = epochs.to_string().len();
                    self.line(&format!("epoch {epoch:>width$}/{epochs}  loss {loss:.4}"));
                }
                self.fitted = Some(*loss);
            }
            Event::Start {
                method,
                classes,
                images,
                parameters,
                epochs,
                steps,
                finished,
                ..
            } => {
                self.epochs = *epochs;
                let sizes =
                    format!("{method}: {parameters} values, {classes} classes, {images} images");
                self.line(&match steps {
                    // A head: it has no steps of a loop.
                    0 => sizes,
                    _ => format!("{sizes}, {epochs} epochs of {steps} steps"),
                });
                if *finished > 0 {
                    self.line(&format!("resuming after epoch {finished}"));
                }
                self.bar.finish_and_clear();
                self.bar = self.printer.bar((epochs * steps) as u64, "steps");
                self.bar.set_position((finished * steps) as u64);
                self.bar.reset_eta();
            }
            Event::Step { losses, .. } => {
                self.bar.inc(1);
                self.bar.set_message(format!("loss {:.3} ", losses.total));
            }
            Event::Epoch {
                epoch,
                losses,
                seconds,
                ..
            } => {
                self.losses = Some(*losses);
                // At most 80 columns; the log contains all values.
                let width = self.epochs.to_string().len();
                let mut text = format!(
                    "epoch {epoch:>width$}/{}  loss {:.3}  ce {:.2}",
                    self.epochs, losses.total, losses.ce
                );
                // The terms that the method has.
                for (name, value) in [
                    ("text", losses.scl_text),
                    ("image", losses.scl_image),
                    ("logits", losses.scl_logits),
                    ("knowledge", losses.knowledge),
                    ("teacher ce", losses.teacher_ce),
                ] {
                    if value != 0.0 {
                        text += &format!("  {name} {value:.2}");
                    }
                }
                self.line(&format!("{text}  {seconds:.1} s"));
            }
            Event::End { seconds } => {
                self.seconds = *seconds;
                self.bar.finish_and_clear();
            }
        }
    }
}
