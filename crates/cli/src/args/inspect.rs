//! The arguments of `promptsrc inspect`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub struct InspectArgs {
    /// A weight file or folder, an adapter, a run folder or a file in it, or a checkpoint.
    #[arg(value_name = "FILE", required_unless_present = "machine")]
    pub file: Option<PathBuf>,

    /// Describe this machine instead: its processor, the instructions that are used, the precision
    /// that auto takes, and how fast it multiplies in each precision that it has, measured now.
    #[arg(long, conflicts_with = "file")]
    pub machine: bool,
}
