//! What a result records so that a person can tell what it may be compared with.

use promptsrc::records::ClipRecord;
use promptsrc_datasets::Split;
use serde::{Deserialize, Serialize};

/// Facts about a run. Results of versions that did not record them have none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Name and version of the program: `promptsrc 0.1.0`.
    pub program: String,
    /// The CLIP.
    pub clip: ClipRecord,
    /// The training images; `None` where nothing is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<ImageFacts>,
}

/// Facts about the images of a training or a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Images that were used.
    pub used: usize,
    /// Images that the lists name and that were left out.
    pub left_out: usize,
    /// The split that they are from; `None` for data sets that are not of the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

/// The name and version of this program.
pub(crate) fn program() -> String {
    format!("promptsrc {}", env!("CARGO_PKG_VERSION"))
}
