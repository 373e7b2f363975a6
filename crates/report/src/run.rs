//! A run as the page takes it: what is known of it, as values.

use promptsrc::metrics::ReliabilityBin;
use promptsrc::{Evaluation, NearestWords};

use crate::training::Log;

/// A page of runs.
#[derive(Clone, Debug, Default)]
pub struct RunPage {
    /// The runs, side by side; at most [`RUNS`](crate::limits::RUNS).
    pub runs: Vec<Run>,
    /// The program that made the page.
    pub program: String,
}

/// A run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Its name: the path as it was given.
    pub name: String,
    /// Its method.
    pub method: String,
    /// What it was made of.
    pub made: Vec<Fact>,
    /// Its log.
    pub log: Log,
    /// What it was measured on; empty if it was not.
    pub measured: Vec<Measured>,
    /// What is to be said of what was not measured.
    pub not_measured: Vec<String>,
    /// The words nearest to its context.
    pub words: Words,
}

/// Something a run was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub what: String,
    /// Its value.
    pub value: String,
}

/// Classes that a run was measured on.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Which: "base", "novel" or "all".
    pub classes: String,
    /// How many of them were learned.
    pub trained: usize,
    /// What was learned.
    pub learned: Judged,
    /// CLIP without prompts on the same images.
    pub zero_shot: Judged,
    /// Templates of zero-shot CLIP.
    pub templates: Vec<String>,
    /// Images and classes that are not covered, in sentences.
    pub notes: Vec<String>,
}

/// A classifier on labelled images.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Its metrics.
    pub evaluation: Evaluation,
    /// The bins of its calibration error.
    pub reliability: Vec<ReliabilityBin>,
    /// Its probabilities with its calibration, if it has one.
    pub calibrated: Option<Calibrated>,
    /// Its most confident mistakes, the most confident first.
    pub mistakes: Vec<Answered>,
    /// Its least confident hits, the least confident first.
    pub hits: Vec<Answered>,
}

/// What a calibration makes of a classifier's probabilities. The classes that it answers are the same.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// The fitted temperature.
    pub temperature: f64,
    /// Images that it was fitted on.
    pub fitted_on: usize,
    /// How far the probabilities can be trusted without it.
    pub before: Trust,
    /// How far they can be trusted with it.
    pub after: Trust,
    /// The bins of the calibration error with it.
    pub reliability: Vec<ReliabilityBin>,
}

/// How far probabilities can be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trust {
    /// Negative log-likelihood.
    pub negative_log_likelihood: f64,
    /// Brier score, summed over the classes.
    pub brier_score: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
}

/// An image with the most probable answers.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its name.
    pub name: String,
    /// The name of its class.
    pub truth: String,
    /// Answers, the most probable first.
    pub answers: Vec<Likely>,
    /// The image as a data URI; `None`: it is not shown.
    pub thumbnail: Option<String>,
}

/// A class with its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Likely {
    /// Its name.
    pub class: String,
    /// Its probability.
    pub probability: f32,
    /// Its probability with the calibration, if there is one.
    pub calibrated: Option<f32>,
}

/// The words nearest to a context.
#[derive(Clone, Debug)]
pub enum Words {
    /// The words.
    Found(NearestWords),
    /// Why there are none.
    None(String),
}

impl Default for Words {
    fn default() -> Self {
        Self::None("They were not looked for.".to_string())
    }
}
