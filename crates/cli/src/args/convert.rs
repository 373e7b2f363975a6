//! The arguments of `promptsrc convert`.

use std::path::PathBuf;

use clap::Args;

use super::values::method_of_checkpoints;

const FROM_CHECKPOINT: &str = "Information that a checkpoint does not record";

#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// Checkpoint, or folder of a run, of the reference; or adapter, or folder of a run.
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// Adapter file to write; or folder to write VLPromptLearner/model.pth.tar-N into.
    #[arg(value_name = "OUTPUT")]
    pub output: PathBuf,
    /// CLIP that the prompts belong to; it is checked, and recorded in an adapter.
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Epoch of the checkpoint to read or to write [default: the newest checkpoint to read, the
    /// last epoch of the run to write].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epoch: Option<usize>,
    /// Replace existing files.
    #[arg(long)]
    pub force: bool,
    /// File of the class names that the checkpoint was trained on, one per line in label order;
    /// with --clip they are checked against its tokens.
    #[arg(long, value_name = "FILE", help_heading = FROM_CHECKPOINT)]
    pub class_names: Option<PathBuf>,
    /// Words that the checkpoint's text context was initialised with [default: a photo of a].
    #[arg(long, value_name = "WORDS", help_heading = FROM_CHECKPOINT)]
    pub ctx_init: Option<String>,
    /// Method of the checkpoint [default: recognised from the file].
    #[arg(
        long,
        value_name = "NAME",
        value_parser = method_of_checkpoints,
        help_heading = FROM_CHECKPOINT
    )]
    pub method: Option<String>,
    /// Preset to record for settings that are not known [default: base-to-novel].
    #[arg(long, value_name = "NAME", help_heading = FROM_CHECKPOINT)]
    pub preset: Option<promptsrc::Preset>,
}
