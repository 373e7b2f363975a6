//! What a checkpoint does not say of its run.

use promptsrc::Preset;
use promptsrc::config::ClassPosition;
use promptsrc::records::{ClipRecord, PreprocessingRecord};

use crate::log::ReferenceResult;

/// What the user adds to a checkpoint, which may lack it. It takes precedence over the checkpoint,
/// except for the preset and the log, which are used where the checkpoint has no value.
#[derive(Clone, Debug, Default)]
pub struct Supplement {
    /// The method: one of [`Form::methods`](super::Form::methods). By default the recognised one, or else that of the log,
    /// or else [`Form::default_method`](super::Form::default_method).
    pub method: Option<String>,
    /// Words that the text context was initialised with; by default those of the log, or else `a photo
    /// of a`, as published, where the context has room for them.
    pub ctx_init: Option<String>,
    /// Place of the class name among the context tokens; by default that of the log, or else the end.
    pub class_position: Option<ClassPosition>,
    /// Names of the classes that it was trained on, in label order.
    pub class_names: Option<Vec<String>>,
    /// The CLIP, and the preprocessing of its images.
    pub clip: Option<(ClipRecord, PreprocessingRecord)>,
    /// Published configuration for settings that are found nowhere else; by default base-to-novel.
    pub preset: Option<Preset>,
    /// The run's log.
    pub log: Option<ReferenceResult>,
}
