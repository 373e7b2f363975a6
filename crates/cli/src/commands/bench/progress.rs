//! Shows the progress of a sweep: a bar for all runs, and a line per finished run.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use promptsrc::Event;
use promptsrc_protocols::{Measured, Plan, PlannedRun, RunId, RunResult, SweepEvent};

use crate::failure::with_causes;
use crate::output::Printer;

/// Fraction of a run that is training; the rest is evaluation.
const TRAINING: f64 = 0.9;
/// Units of the bar.
const UNITS: f64 = 1000.0;

/// The progress of a sweep; shared by the threads of its runs.
pub struct SweepProgress {
    printer: Printer,
    bar: ProgressBar,
    cost: f64,
    runs: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Finished steps and all steps of the active training runs.
    steps: HashMap<RunId, (usize, usize)>,
    /// Finished fraction of each run.
    share: HashMap<RunId, f64>,
    done: f64,
    ended: usize,
}

impl SweepProgress {
    pub fn new(plan: &Plan, printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            bar: printer.percent_bar(UNITS as u64),
            cost: plan.cost().max(f64::MIN_POSITIVE),
            runs: plan.runs.len(),
            seen: Mutex::default(),
        }
    }

    pub fn close(&self) {
        self.bar.finish_and_clear();
    }

    pub fn show(&self, event: &SweepEvent) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            SweepEvent::Begin(_) => {}
            SweepEvent::Decode { data_set, images } => self.line(&format!(
                "decoding {images} test images of {data_set} once, to find any that cannot be"
            )),
            SweepEvent::Train(run, event) => match event {
                Event::Start {
                    epochs,
                    steps,
                    finished,
                    ..
                } => {
                    if *finished > 0 {
                        self.line(&format!("{}: resuming after epoch {finished}", run.id));
                    }
                    let steps = (finished * steps, epochs * steps);
                    seen.steps.insert(run.id.clone(), steps);
                    self.advance(&mut seen, run, steps);
                }
                Event::Step { .. } => {
                    let steps = seen.steps.entry(run.id.clone()).or_default();
                    steps.0 += 1;
                    let steps = *steps;
                    self.advance(&mut seen, run, steps);
                }
                Event::Texts { done, total } => self.bar.set_message(match done == total {
                    true => String::new(),
                    false => format!("texts of the templates {done}/{total} "),
                }),
                Event::Features { done, total } => {
                    let steps = (*done, (*total).max(1));
                    self.advance(&mut seen, run, steps);
                }
                Event::Epoch { .. } | Event::Fit { .. } | Event::End { .. } => {}
            },
            SweepEvent::Measure { run, done, total } => {
                let trained = if run.config.is_some() { TRAINING } else { 0.0 };
                let measured = *done as f64 / (*total).max(1) as f64;
                self.reach(&mut seen, run, trained + (1.0 - trained) * measured);
            }
            SweepEvent::Warn(run, text) => {
                let text = format!("{}: {text}", run.id);
                self.bar.suspend(|| self.printer.warning(&text));
            }
            SweepEvent::End {
                run,
                result,
                already_finished,
            } => {
                self.reach(&mut seen, run, 1.0);
                seen.ended += 1;
                if !already_finished {
                    let width = self.runs.to_string().len();
                    self.line(&format!(
                        "{:>width$}/{}  {}: {}",
                        seen.ended,
                        self.runs,
                        run.id,
                        accuracies(result)
                    ));
                }
            }
            SweepEvent::Fail(run, error) => {
                let text = format!("{}: {}", run.id, with_causes(*error));
                self.bar.suspend(|| self.printer.error(&text));
            }
            SweepEvent::Wait(runs) => {
                let s = if *runs == 1 { "" } else { "s" };
                self.line(&format!("waiting for {runs} run{s} of other processes"));
            }
        }
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| self.printer.note(text));
    }

    fn advance(&self, seen: &mut Seen, run: &PlannedRun, (done, all): (usize, usize)) {
        self.reach(seen, run, TRAINING * done as f64 / all.max(1) as f64);
    }

    /// Sets the finished fraction of a run.
    fn reach(&self, seen: &mut Seen, run: &PlannedRun, share: f64) {
        let before = seen.share.insert(run.id.clone(), share).unwrap_or(0.0);
        seen.done += (share - before) * run.cost;
        let position = (UNITS * seen.done / self.cost).clamp(0.0, UNITS);
        self.bar.set_position(position as u64);
    }
}

/// The accuracies of a run, on one line.
fn accuracies(result: &RunResult) -> String {
    let several = |m: &Measured| m.data_set != result.run.data_set;
    let one = |m: &Measured| {
        let what = match (several(m), m.classes.as_str()) {
            (true, _) => format!("{} ", m.data_set),
            (false, "all") => String::new(),
            (false, classes) => format!("{classes} "),
        };
        format!("{what}{:.1} %", m.accuracy())
    };
    result
        .measured
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(", ")
}
