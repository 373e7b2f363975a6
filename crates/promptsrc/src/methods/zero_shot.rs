//! CLIP without prompts, with the data set's own template.

use crate::methods::method::{Family, Method};

/// Zero-shot CLIP as in the paper's tables (the reference's `ZeroshotCLIP`): with one template,
/// that of the data set.
#[derive(Clone, Copy, Debug)]
pub struct ZeroShot;

impl Method for ZeroShot {
    fn name(&self) -> &'static str {
        "zero-shot"
    }

    fn paper_name(&self) -> &'static str {
        "CLIP"
    }

    fn family(&self) -> Family<'_> {
        Family::Frozen
    }
}
