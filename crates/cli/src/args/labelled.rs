//! The arguments that select labelled images.

use std::path::PathBuf;

use clap::Args;

use super::exif::ExifArg;

/// The images.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Images: a folder with a subfolder per class, a CSV, TSV or JSONL list, the folder that a
    /// split file refers to, or world:NAME for a built-in data set.
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    #[command(flatten)]
    pub more: DataOptions,
}

/// How the images are read.
#[derive(Args, Clone, Debug)]
pub struct DataOptions {
    /// Split file (CoOp's split_zhou_*.json).
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,
    /// File of class names: one per line in label order, or lines with a folder and its class name
    /// [default: classnames.txt in the data folder, if there is one].
    #[arg(long, value_name = "FILE")]
    pub class_names: Option<PathBuf>,
    /// Leave out images that are missing instead of failing.
    #[arg(long)]
    pub allow_missing: bool,
    /// Leave out images that cannot be decoded instead of failing.
    #[arg(long)]
    pub allow_unreadable: bool,
    #[command(flatten)]
    pub exif: ExifArg,
}
