//! What a person may say about weights whose files do not say it.

use promptsrc_kernels::Activation;
use serde::{Deserialize, Serialize};

/// Settings of a CLIP for weights without a configuration beside them, of which what is `None` is
/// assumed to be as in OpenAI's CLIP; and which of several CLIPs in a file is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightOptions {
    /// The blocks' activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Attention heads of the image and of the text tower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<[usize; 2]>,
    /// Side of the images, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// What the names of the CLIP's tensors begin with, in a file with several CLIPs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl WeightOptions {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first setting that is given.
    pub(crate) fn first(&self) -> Option<&'static str> {
        match self {
            Self {
                activation: Some(_),
                ..
            } => Some("--activation"),
            Self { heads: Some(_), .. } => Some("--heads"),
            Self {
                image_size: Some(_),
                ..
            } => Some("--image-size"),
            _ => None,
        }
    }
}
