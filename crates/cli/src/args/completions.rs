//! The arguments of `promptsrc completions` and `promptsrc man`: what shells and `man` know of the command.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Args, Debug)]
pub struct ManArgs {
    /// Folder to write the pages to, which is created if it does not exist: promptsrc.1, promptsrc-train.1
    /// and so on.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
