//! The arguments of `promptsrc convert`.

use std::path::PathBuf;

use clap::Args;

use super::checkpoint::{CheckpointArgs, FROM_CHECKPOINT};

#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// Checkpoint, or folder of a run, of the reference; or adapter, or folder of a run.
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// Adapter file to write; or folder to write VLPromptLearner/model.pth.tar-N into, or, by the
    /// method, prompt_learner/... or MultiModalPromptLearner/...
    #[arg(value_name = "OUTPUT")]
    pub output: PathBuf,
    /// CLIP that the prompts belong to; it is checked, and recorded in an adapter. Required for the
    /// checkpoints of a prompt learner alone (CoOp, CoCoOp, KgCoOp, ProGrad), which do not show it.
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
    /// with --clip they are checked against its tokens. Required where each class has a context of
    /// its own.
    #[arg(long, value_name = "FILE", help_heading = FROM_CHECKPOINT)]
    pub class_names: Option<PathBuf>,
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// Preset to record for settings that are not known [default: base-to-novel].
    #[arg(long, value_name = "NAME", help_heading = FROM_CHECKPOINT)]
    pub preset: Option<promptsrc::Preset>,
}
