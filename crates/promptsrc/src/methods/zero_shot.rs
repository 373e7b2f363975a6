//! CLIP without prompts, with the data set's own template.

use std::path::Path;

use promptsrc_clip::ClipModel;

use crate::classifier::Classifier;
use crate::methods::{Classify, Method, MethodError, Training};

/// Zero-shot CLIP as the paper's tables have it (the reference's `ZeroshotCLIP`): one template,
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

    fn training(&self) -> Option<&dyn Training> {
        None
    }

    fn classifier<'a>(
        &self,
        clip: &'a ClipModel,
        _run: &Path,
        names: &[String],
        template: &str,
    ) -> Result<Box<dyn Classify + 'a>, MethodError> {
        let templates = [template.to_string()];
        Ok(Box::new(Classifier::zero_shot(clip, names, &templates)?))
    }
}
