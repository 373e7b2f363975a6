//! The arguments of `promptsrc calibrate`.

use std::path::PathBuf;

use clap::Args;
use promptsrc::calibration::{SetMethod, UnknownScore};
use promptsrc::{Classes, Parts};

use super::checkpoint::UsedCheckpointArgs;
use super::eval::TemplatesArg;
use super::labelled::DataArgs;
use super::values::{rate, set_method, unknown_score};

#[derive(Args, Debug)]
#[command(
    override_usage = "promptsrc calibrate [OPTIONS] --data <PATH> <RUN>\n       \
                      promptsrc calibrate [OPTIONS] --data <PATH> --zero-shot --clip <CLIP> --out <FILE>"
)]
pub struct CalibrateArgs {
    /// Folder of a run, an adapter file, or a checkpoint of a Python reference.
    #[arg(value_name = "RUN", required_unless_present = "zero_shot")]
    pub run: Option<PathBuf>,
    /// Calibrate CLIP without prompts.
    #[arg(long, conflicts_with = "run", requires_all = ["clip", "out"])]
    pub zero_shot: bool,
    /// CLIP, as for train [default: the one that the run recorded].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    #[command(flatten)]
    pub checkpoint: UsedCheckpointArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Images to calibrate on: val, train (without those that the adapter was trained on), or all, for a data
    /// set that was held out as a whole. Test images are refused.
    #[arg(long, default_value = "val")]
    pub part: Parts,
    /// Classes to classify among; the promise of sets holds for these [default: those of the training, if
    /// they are the data set's, its base or its novel classes; otherwise all].
    #[arg(long)]
    pub classes: Option<Classes>,
    /// Templates of zero-shot CLIP [default: single].
    #[arg(long, conflicts_with = "run")]
    pub templates: Option<TemplatesArg>,
    /// Template with {} for the class name; can be given more than once.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["run", "templates"])]
    pub template: Vec<String>,
    /// Kinds of prediction sets to prepare: lac, aps, raps. The first is used where no other is asked for.
    #[arg(
        long,
        value_name = "A,B",
        value_delimiter = ',',
        default_value = "lac,aps,raps",
        value_parser = set_method
    )]
    pub sets: Vec<SetMethod>,
    /// Coverage of sets where no other is asked for; any other can be asked for later.
    #[arg(long, value_name = "C", default_value = "0.95", value_parser = rate, allow_negative_numbers = true)]
    pub coverage: f64,
    /// Promise the coverage for each class, not only on average: needs many images of each.
    #[arg(long)]
    pub class_conditional: bool,
    /// Penalty of RAPS on each rank after --raps-k [default: chosen, with --raps-k, on a fifth of the images,
    /// for the coverage of --coverage].
    #[arg(
        long,
        value_name = "L",
        requires = "raps_k",
        allow_negative_numbers = true
    )]
    pub raps_lambda: Option<f64>,
    /// Ranks that RAPS does not penalise.
    #[arg(long, value_name = "K", requires = "raps_lambda")]
    pub raps_k: Option<usize>,
    /// Score that tells images of unknown classes: mcm-unscaled (greatest softmax of the cosines without CLIP's
    /// scale, as MCM was published), mcm (at CLIP's own temperature), max-logit, energy.
    #[arg(long, value_name = "NAME", default_value = "mcm-unscaled", value_parser = unknown_score)]
    pub unknown_score: UnknownScore,
    /// Rate of images of known classes that are not to be called unknown.
    #[arg(long, value_name = "R", default_value = "0.95", value_parser = rate, allow_negative_numbers = true)]
    pub keep: f64,
    /// File of the calibration [default: calibration.json in the folder of the run, or the name of the adapter's
    /// file with .calibration.json after it].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace a calibration that is there.
    #[arg(long)]
    pub force: bool,
}
