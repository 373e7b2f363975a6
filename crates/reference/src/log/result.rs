//! What is known of one run of the reference.

use std::collections::BTreeMap;

use promptsrc_datasets::Classes;

use promptsrc::config::Method;

/// What is known of one run of the reference. None: neither the log nor its path says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceResult {
    /// The data set that was tested, by the name of its class in the reference: `EuroSAT`,
    /// `DescribableTextures`. One that the reference does not have goes by its own name.
    pub dataset: Option<String>,
    /// The trainer, by the reference's name: `PromptSRC`, `IVLP`, `CoOp`, `ZeroshotCLIP`.
    pub trainer: Option<String>,
    /// Seed of the run.
    pub seed: Option<u64>,
    /// Training images a class.
    pub shots: Option<usize>,
    /// Which classes were told apart.
    pub subset: Option<Classes>,
    /// Whether the run only tested what another had trained.
    pub eval_only: Option<bool>,
    /// Accuracy in percent, as printed: rounded to one or two decimals.
    pub accuracy: Option<f64>,
    /// Macro F1 in percent, as printed.
    pub macro_f1: Option<f64>,
    /// Images that were tested.
    pub total: Option<u64>,
    /// Those that were told rightly.
    pub correct: Option<u64>,
    /// Whether the run came to its end: its last result is whole.
    pub finished: bool,
    /// The whole configuration, by dotted name (`TRAINER.PROMPTSRC.GPA_MEAN`), as printed.
    pub settings: BTreeMap<String, String>,
}

impl ReferenceResult {
    /// The method, where this program has it too.
    pub fn method(&self) -> Option<Method> {
        self.trainer.as_ref()?.to_lowercase().parse().ok()
    }

    /// Accuracy in percent from the counts, without the rounding of the printed one; the printed one
    /// where the counts are not known.
    pub fn exact_accuracy(&self) -> Option<f64> {
        match (self.correct, self.total) {
            (Some(correct), Some(total)) if total > 0 => {
                Some(100.0 * correct as f64 / total as f64)
            }
            _ => self.accuracy,
        }
    }

    /// A setting of the configuration that reads as a `T`.
    pub fn setting<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.settings.get(name)?.parse().ok()
    }
}

/// The classes that the reference calls by this name.
pub(super) fn subset(name: &str) -> Option<Classes> {
    match name {
        "all" => Some(Classes::All),
        "base" => Some(Classes::Base),
        "new" => Some(Classes::Novel),
        _ => None,
    }
}
