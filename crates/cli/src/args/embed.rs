//! The arguments of `promptsrc embed`.

use std::path::PathBuf;

use clap::Args;

use super::exif::ExifArg;

#[derive(Args, Debug)]
pub struct EmbedArgs {
    /// CLIP, as for train.
    #[arg(long, value_name = "CLIP")]
    pub clip: String,
    /// Images or folders of images.
    #[arg(long, value_name = "PATH", num_args = 1.., required_unless_present = "texts")]
    pub images: Vec<PathBuf>,
    /// File of texts, one per line: line N becomes row N, so no line before the last may be blank.
    #[arg(long, value_name = "FILE")]
    pub texts: Option<PathBuf>,
    /// Truncate texts that are longer than the context instead of failing.
    #[arg(long)]
    pub truncate: bool,
    /// File to write, with the tensors image_features and text_features; its folder is created if
    /// it does not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace --out if it exists.
    #[arg(long)]
    pub force: bool,
    /// Leave out images that cannot be decoded instead of failing; rows are those of the others.
    #[arg(long)]
    pub allow_unreadable: bool,
    #[command(flatten)]
    pub exif: ExifArg,
}
