//! What a result records so that a person can tell what it may be compared with.

use promptsrc::records::{ClipRecord, is_zero};
use promptsrc_datasets::{FewShotCache, Split};
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
    /// Those of them that exist and could not be decoded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: usize,
    /// The split that they are from; `None` for data sets that are not of the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// The file of the reference that few-shot training images are from, if they were not drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot_cache: Option<FewShotCache>,
}
