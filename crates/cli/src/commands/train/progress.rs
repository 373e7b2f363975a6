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
}

impl TrainProgress {
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: *printer,
            bar: ProgressBar::hidden(),
            epochs: 0,
            seconds: 0.0,
            losses: None,
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
            Event::Start {
                method,
                classes,
                images,
                parameters,
                epochs,
                steps,
                finished,
            } => {
                self.epochs = *epochs;
                self.line(&format!(
                    "{method}: {parameters} values, {classes} classes, {images} images, \
                     {epochs} epochs of {steps} steps"
                ));
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
                self.line(&format!(
                    "epoch {epoch:>width$}/{}  loss {:.3}  ce {:.2}  text {:.2}  image {:.2}  \
                     logits {:.2}  {seconds:.1} s",
                    self.epochs,
                    losses.total,
                    losses.ce,
                    losses.scl_text,
                    losses.scl_image,
                    losses.scl_logits
                ));
            }
            Event::End { seconds } => {
                self.seconds = *seconds;
                self.bar.finish_and_clear();
            }
        }
    }
}
