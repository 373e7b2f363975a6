//! The events that a run reports. The caller decides how to show them.

use serde::{Deserialize, Serialize};

use crate::losses::LossValues;
use crate::machine::Machine;

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
        /// Where; `None` in logs of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<Machine>,
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

/// The machines that a run was trained on, each once, in the order of the log; `None` stands for one that was
/// not recorded. What a process has started and nothing is left of is not counted.
pub fn machines_of_training(events: &[Event]) -> Vec<Option<Machine>> {
    let mut machines: Vec<Option<Machine>> = Vec::new();
    // The machine of the process under way, until something is seen that it has done.
    let (mut pending, mut last) = (None, None);
    for event in events {
        match event {
            Event::Start { machine, .. } => {
                (pending, last) = (Some(machine), Some(machine));
            }
            Event::Step { .. } | Event::Epoch { .. } | Event::Fit { .. } => {
                if let Some(machine) = pending.take()
                    && !machines.contains(machine)
                {
                    machines.push(machine.clone());
                }
            }
            Event::Texts { .. } | Event::Features { .. } | Event::End { .. } => {}
        }
    }
    // A method without steps is computed by the process that ended it.
    if machines.is_empty() {
        machines.extend(last.cloned());
    }
    machines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(processor: Option<&str>) -> Event {
        Event::Start {
            method: "coop".to_string(),
            classes: 2,
            images: 4,
            parameters: 8,
            epochs: 3,
            steps: 1,
            finished: 0,
            machine: processor.map(|name| Machine {
                processor: Some(name.to_string()),
                ..Machine::here()
            }),
        }
    }

    fn names(events: &[Event]) -> Vec<Option<String>> {
        let machines = machines_of_training(events).into_iter();
        machines
            .map(|machine| machine.and_then(|machine| machine.processor))
            .collect()
    }

    #[test]
    fn machines_are_those_of_which_something_is_left() {
        let step = Event::Step {
            epoch: 1,
            step: 1,
            losses: LossValues::default(),
        };
        let [a, b] = ["a", "b"].map(|name| start(Some(name)));
        let name = |name: &str| Some(name.to_string());
        assert_eq!(names(&[]), []);
        assert_eq!(names(std::slice::from_ref(&a)), [name("a")]);
        let resumed = [a.clone(), step.clone(), b.clone(), step.clone(), b.clone()];
        assert_eq!(names(&resumed), [name("a"), name("b")]);
        // The first process was killed before anything was saved.
        assert_eq!(names(&[a.clone(), b.clone(), step.clone()]), [name("b")]);
        // A finished run that is resumed has nothing left to do.
        assert_eq!(names(&[a.clone(), step.clone(), b.clone()]), [name("a")]);
        // Begun by an earlier version.
        let mixed = [start(None), step.clone(), a.clone(), step.clone()];
        assert_eq!(names(&mixed), [None, name("a")]);
    }

    #[test]
    fn a_log_of_an_earlier_version_is_read() {
        let line = r#"{"event":"start","method":"coop","classes":2,"images":4,"parameters":8,"epochs":3,"steps":1,"finished":0}"#;
        let event: Event = serde_json::from_str(line).expect("an event");
        assert_eq!(event, start(None));
        assert_eq!(serde_json::to_string(&event).expect("JSON"), line);
    }
}
