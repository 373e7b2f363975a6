//! The arguments of `promptsrc data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
pub struct DataSetsArgs {
    #[command(subcommand)]
    pub command: DataSetsCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataSetsCommand {
    /// Check which of the paper's 15 data sets are in a folder, and print where to download the
    /// others. The check opens no image and writes no file; the exit code is 1 if a data set in the
    /// folder is incomplete.
    Check(CheckArgs),
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Folder of the data sets, laid out as in CoOp's DATASETS.md: ROOT/imagenet, ROOT/eurosat...
    #[arg(value_name = "ROOT")]
    pub root: PathBuf,
}
