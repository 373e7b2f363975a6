//! How a command uses a calibration.

use std::path::PathBuf;

use clap::Args;
use promptsrc::calibration::SetMethod;

use super::values::{rate, set_method};

/// A calibration, and what is wanted of it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calibration")]
pub struct CalibrationArgs {
    /// File of a calibration, from `promptsrc calibrate` [default: the one beside the adapter, if there is one].
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Answer as CLIP and adapter do, although there is a calibration.
    #[arg(long, conflicts_with_all = ["calibration", "coverage", "sets", "temperature_only"])]
    pub no_calibration: bool,
    /// Coverage of prediction sets: the true class is in the set with this probability
    /// [default: no sets in predict, that of the calibration in eval].
    #[arg(long, value_name = "C", value_parser = rate, allow_negative_numbers = true)]
    pub coverage: Option<f64>,
    /// Kind of prediction sets: lac, aps or raps [default: the calibration's first in predict, all in eval].
    #[arg(long, value_name = "KIND", value_parser = set_method)]
    pub sets: Option<SetMethod>,
    /// Use nothing but the temperature, also for other class names than those that were calibrated, for which
    /// it need not be right.
    #[arg(long, conflicts_with_all = ["coverage", "sets"])]
    pub temperature_only: bool,
}
