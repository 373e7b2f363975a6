//! The arguments of `promptsrc eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use promptsrc::{Classes, Parts};

use super::calibration::CalibrationArgs;
use super::checkpoint::UsedCheckpointArgs;
use super::labelled::DataArgs;

#[derive(Args, Debug)]
#[command(
    override_usage = "promptsrc eval [OPTIONS] --data <PATH> <RUN>\n       \
                      promptsrc eval [OPTIONS] --data <PATH> --zero-shot --clip <CLIP>"
)]
pub struct EvalArgs {
    /// Folder of a run, an adapter file, or a checkpoint of a Python reference.
    #[arg(value_name = "RUN", required_unless_present = "zero_shot")]
    pub run: Option<PathBuf>,
    /// Evaluate CLIP without prompts.
    #[arg(long, conflicts_with = "run", requires = "clip")]
    pub zero_shot: bool,
    /// CLIP, as for train [default: the one that the run recorded].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    #[command(flatten)]
    pub checkpoint: UsedCheckpointArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Classes to evaluate, and to classify among.
    #[arg(long, default_value = "all")]
    pub classes: Classes,
    /// Images to evaluate on; all takes those of all parts as one, for a folder that was held out as
    /// a whole.
    #[arg(long, default_value = "test")]
    pub part: Parts,
    /// Templates of zero-shot CLIP [default: single].
    #[arg(long, conflicts_with = "run")]
    pub templates: Option<TemplatesArg>,
    /// Template with {} for the class name; can be given more than once.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["run", "templates"])]
    pub template: Vec<String>,
    /// Images of unknown classes, as --data, all of them: how well these are told from known ones. Images of
    /// classes that are known are left out.
    #[arg(long, value_name = "PATH")]
    pub unknown_data: Option<PathBuf>,
    /// Classes of --unknown-data that are unknown; without it, of --data, such as novel with --classes base.
    #[arg(long, value_name = "CLASSES")]
    pub unknown_classes: Option<Classes>,
    #[command(flatten)]
    pub calibration: CalibrationArgs,
    /// CSV file for the logits: image, true class, and a column per class.
    #[arg(long, value_name = "FILE")]
    pub logits: Option<PathBuf>,
    /// Folder for the tables as files: per_class.csv, confusion.csv (a row per true class, a column
    /// per predicted class), predictions.csv and result.json.
    #[arg(long, value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
    /// Replace existing files of --report-dir and --logits.
    #[arg(long)]
    pub force: bool,
}

/// Templates of zero-shot CLIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TemplatesArg {
    /// "a photo of a {}."
    Single,
    /// The data set's own template.
    DataSet,
    /// Seven selected templates, and the data set's own.
    Ensemble,
}
