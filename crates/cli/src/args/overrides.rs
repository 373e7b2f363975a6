//! Single settings of a training run.

use std::path::PathBuf;

use clap::Args;
use promptsrc::Overrides;

/// Settings that replace the preset's.
#[derive(Args, Debug)]
pub struct OverrideArgs {
    #[command(flatten)]
    pub overrides: Overrides,
    /// Templates of the frozen text features, one per line with {} for the class name [default: 60
    /// built-in templates].
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Settings that replace the preset's"
    )]
    pub templates: Option<PathBuf>,
}
