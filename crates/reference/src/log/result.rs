//! The contents of the log of one run of the reference.

use std::collections::BTreeMap;

use promptsrc_datasets::Classes;

use promptsrc::methods::{self, Method};

/// What is known of one run of the reference. `None`: it is neither in the log nor in its path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceResult {
    /// The data set that was tested, by its name in the reference: `EuroSAT`,
    /// `DescribableTextures`. It may also be one that is not in the reference.
    pub dataset: Option<String>,
    /// The trainer, by the reference's name: `PromptSRC`, `IVLP`, `CoOp`, `ZeroshotCLIP`.
    pub trainer: Option<String>,
    /// Seed of the run.
    pub seed: Option<u64>,
    /// Training images per class.
    pub shots: Option<usize>,
    /// The classes that were distinguished.
    pub subset: Option<Classes>,
    /// Whether the run only evaluated the checkpoint of another run.
    pub eval_only: Option<bool>,
    /// Accuracy in percent, as printed: rounded to one or two decimals.
    pub accuracy: Option<f64>,
    /// Macro F1 in percent, as printed.
    pub macro_f1: Option<f64>,
    /// Images that were tested.
    pub total: Option<u64>,
    /// Images that were classified correctly.
    pub correct: Option<u64>,
    /// Whether the run is finished: its last result is complete.
    pub finished: bool,
    /// The folder of the training that an evaluation loads, as given on its command line.
    pub model_dir: Option<String>,
    /// The folder of the run's own output, as given on its command line.
    pub output_dir: Option<String>,
    /// The epoch that an evaluation loads.
    pub load_epoch: Option<usize>,
    /// The configuration file of the trainer.
    pub config_file: Option<String>,
    /// The whole configuration as printed, by dotted name (`TRAINER.PROMPTSRC.GPA_MEAN`).
    pub settings: BTreeMap<String, String>,
}

impl ReferenceResult {
    /// The method; `None` where this program does not have it.
    pub fn method(&self) -> Option<&'static dyn Method> {
        methods::find(&self.trainer.as_ref()?.to_lowercase()).ok()
    }

    /// Accuracy in percent from the counts, without the rounding of the printed one; the printed
    /// one where the counts are not known.
    pub fn exact_accuracy(&self) -> Option<f64> {
        match (self.correct, self.total) {
            (Some(correct), Some(total)) if total > 0 => {
                Some(100.0 * correct as f64 / total as f64)
            }
            _ => self.accuracy,
        }
    }

    /// A setting of the configuration, parsed as a `T`.
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
