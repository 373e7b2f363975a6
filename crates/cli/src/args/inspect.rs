//! The arguments of `promptsrc inspect`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub struct InspectArgs {
    /// A weight file or folder, an adapter, a run folder or a file in it, or a checkpoint.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
