//! The arguments of `promptsrc export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use promptsrc::OnnxWeights;

use super::checkpoint::UsedCheckpointArgs;

#[derive(Args, Debug)]
#[command(
    override_usage = "promptsrc export [OPTIONS] --out <FILE.onnx> <RUN>\n       \
                      promptsrc export [OPTIONS] --out <FILE.onnx> --clip <CLIP> --names <A,B,C>\n       \
                      promptsrc export [OPTIONS] --out <DIR> --clip <CLIP>"
)]
pub struct ExportModelArgs {
    /// Folder of a run, an adapter file, or a checkpoint of a Python reference; without it, CLIP
    /// without prompts.
    #[arg(value_name = "RUN", required_unless_present = "clip")]
    pub run: Option<PathBuf>,
    /// CLIP, as for train [default: the one that the run recorded].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Class names, separated by commas, as for predict [default: those of the training].
    #[arg(long, value_name = "A,B,C")]
    pub names: Option<String>,
    /// File of class names, one per line.
    #[arg(long, value_name = "FILE", conflicts_with = "names")]
    pub names_file: Option<PathBuf>,
    /// Template with {} for the class name, of CLIP without prompts; can be given more than once
    /// [default: a photo of a {}.].
    #[arg(long, value_name = "TEXT", conflicts_with = "run")]
    pub template: Vec<String>,
    /// Tower to export, of CLIP without class names. Both are written into a folder, as
    /// vision_model.onnx and text_model.onnx; a single one into a file.
    #[arg(
        long,
        value_name = "TOWER",
        conflicts_with_all = ["run", "names", "names_file", "template"]
    )]
    pub tower: Option<ExportedTower>,
    /// File to write, FILE.onnx, with FILE.json beside it; for both towers a folder. Folders are
    /// created if they do not exist.
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// Replace the files if they exist.
    #[arg(long)]
    pub force: bool,
    /// How weights are stored; they are computed with in f32 in either case. With f16 the file is half
    /// as large, and as exact if the weights were published in f16, as OpenAI's were.
    #[arg(long, value_name = "F", default_value = "f32")]
    pub weights: OnnxWeights,
    /// Put the weights into a file of their own, FILE.onnx.data, if they have more bytes than this
    /// [default: 1800000000, because a single file has less than 2 GiB].
    #[arg(long, value_name = "BYTES", hide_short_help = true)]
    pub external_above: Option<u64>,
    #[command(flatten)]
    pub checkpoint: UsedCheckpointArgs,
}

/// Towers to export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ExportedTower {
    /// Both of them.
    #[default]
    Both,
    /// Images to features.
    Image,
    /// Tokens to features.
    Text,
}
