//! The arguments of `promptsrc predict`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::calibration::CalibrationArgs;
use super::checkpoint::UsedCheckpointArgs;
use super::exif::ExifArg;
use super::values::positive;

#[derive(Args, Debug)]
#[command(
    override_usage = "promptsrc predict [OPTIONS] <RUN> <IMAGE>...\n       \
                      promptsrc predict [OPTIONS] --zero-shot --clip <CLIP> --names <A,B,C> \
                      <IMAGE>..."
)]
pub struct PredictArgs {
    /// Folder of a run, an adapter file or a checkpoint of a Python reference, then images,
    /// folders of images, or - for a list of their paths on standard input, one per line (blank
    /// lines are skipped); with --zero-shot without the run.
    #[arg(value_name = "RUN IMAGE", required = true, num_args = 1..)]
    pub inputs: Vec<PathBuf>,
    /// Predict with CLIP without prompts.
    #[arg(long, requires = "clip")]
    pub zero_shot: bool,
    /// CLIP, as for train [default: the one that the run recorded].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Template with {} for the class name, of CLIP without prompts; can be given more than once
    /// [default: a photo of a {}.].
    #[arg(long, value_name = "TEXT", requires = "zero_shot")]
    pub template: Vec<String>,
    /// Class names, separated by commas, as in CSV: a name that contains a comma is put in double
    /// quotes [default: those of the training].
    #[arg(long, value_name = "A,B,C")]
    pub names: Option<String>,
    /// File of class names, one per line.
    #[arg(long, value_name = "FILE", conflicts_with = "names")]
    pub names_file: Option<PathBuf>,
    /// Number of class names to print per image.
    #[arg(
        long,
        value_name = "K",
        default_value = "5",
        value_parser = positive,
        allow_negative_numbers = true
    )]
    pub top_k: usize,
    /// Succeed although some images cannot be decoded; warn of these.
    #[arg(long)]
    pub allow_unreadable: bool,
    #[command(flatten)]
    pub calibration: CalibrationArgs,
    /// Say whether an image shows none of the classes, by the threshold of the calibration.
    #[arg(long, conflicts_with_all = ["no_calibration", "temperature_only"])]
    pub unknown: bool,
    #[command(flatten)]
    pub checkpoint: UsedCheckpointArgs,
    #[command(flatten)]
    pub exif: ExifArg,
    /// Form of the result. csv and jsonl are written as they are computed, in the order of the
    /// images.
    #[arg(
        long,
        value_name = "F",
        default_value = "text",
        conflicts_with = "json"
    )]
    pub format: PredictFormat,
}

/// Form of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PredictFormat {
    /// A table.
    Text,
    /// A line per image and class, the most probable first: image,rank,class,probability; with --coverage also
    /// in_set, with a line for each class of the set, and with --unknown also unknown.
    Csv,
    /// A JSON object per image and line, as the elements of --json.
    Jsonl,
}
