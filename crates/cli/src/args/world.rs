//! The arguments of `promptsrc world`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub struct WorldArgs {
    #[command(subcommand)]
    pub command: WorldCommand,
}

#[derive(Debug, Subcommand)]
pub enum WorldCommand {
    /// List the data sets; `--data world:NAME` selects one in any command.
    List,
    /// Write data sets as folders of PNG files with split files, for use by other programs.
    Export(ExportArgs),
    /// Write the CLIP `mini` as a safetensors file with OpenAI's tensor names.
    Clip(ClipFileArgs),
}

#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Folder to write into; each data set gets its own subfolder.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Data sets to write [default: all].
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub sets: Vec<String>,
    /// Write into the folder of a data set even if there are files in it; those of the same names are
    /// replaced.
    #[arg(long)]
    pub force: bool,
}

#[derive(Args, Debug)]
pub struct ClipFileArgs {
    /// File to write.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,
}
