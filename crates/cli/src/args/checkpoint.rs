//! What a checkpoint of a reference does not record, as arguments.

use std::path::PathBuf;

use clap::Args;
use promptsrc::config::ClassPosition;

use super::values::method_of_checkpoints;

pub const FROM_CHECKPOINT: &str = "Information that a checkpoint does not record";

/// For every command that reads checkpoints.
#[derive(Args, Clone, Debug, Default)]
pub struct CheckpointArgs {
    /// Words that the checkpoint's text context was initialised with [default: those of the run's log,
    /// or else a photo of a].
    #[arg(long, value_name = "WORDS", help_heading = FROM_CHECKPOINT)]
    pub ctx_init: Option<String>,
    /// Method of the checkpoint [default: recognised from the file or the run's log; coop for one of
    /// CoOp's form, which is ProGrad's as well].
    #[arg(
        long,
        value_name = "NAME",
        value_parser = method_of_checkpoints,
        help_heading = FROM_CHECKPOINT
    )]
    pub method: Option<String>,
    /// Place of the class name among the context tokens of CoOp and ProGrad: end, middle or front
    /// [default: that of the run's log, or else end].
    #[arg(long, value_name = "PLACE", help_heading = FROM_CHECKPOINT)]
    pub class_position: Option<ClassPosition>,
}

/// For commands that use a checkpoint as it is.
#[derive(Args, Clone, Debug, Default)]
pub struct UsedCheckpointArgs {
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// File of the class names that the checkpoint was trained on, one per line in label order; needed
    /// where each class has a context of its own.
    #[arg(long, value_name = "FILE", help_heading = FROM_CHECKPOINT)]
    pub training_names: Option<PathBuf>,
}

impl CheckpointArgs {
    /// The option that was given, if one was.
    pub fn given(&self) -> Option<&'static str> {
        let options = [
            ("--ctx-init", self.ctx_init.is_some()),
            ("--method", self.method.is_some()),
            ("--class-position", self.class_position.is_some()),
        ];
        let mut given = options.into_iter().filter(|(_, given)| *given);
        given.next().map(|(option, _)| option)
    }
}

impl UsedCheckpointArgs {
    /// The option that was given, if one was.
    pub fn given(&self) -> Option<&'static str> {
        let names = self.training_names.as_ref().map(|_| "--training-names");
        self.checkpoint.given().or(names)
    }
}
