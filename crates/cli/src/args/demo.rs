//! The arguments of `promptsrc demo`.

use std::path::PathBuf;

use clap::Args;

use super::methods::MethodArgs;
use super::values::positive;

/// Base-to-novel generalisation on the built-in data sets: methods learn half of the classes, and
/// are compared with zero-shot CLIP on both halves. No images, CLIP or network are
/// needed. The results are the same as those of the printed commands.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Folder of the runs; finished runs in it are not repeated.
    #[arg(long, value_name = "DIR", default_value = "runs/demo")]
    pub out: PathBuf,
    /// Seeds, separated by commas; for several, means and standard deviations are shown.
    #[arg(long, value_name = "S,S", value_delimiter = ',', default_value = "1")]
    pub seeds: Vec<u64>,
    /// Shots (training images) per class.
    #[arg(
        long,
        value_name = "K",
        default_value = "16",
        value_parser = positive,
        allow_negative_numbers = true
    )]
    pub shots: usize,
    /// Data sets [default: all made for base-to-novel; see `promptsrc world list`].
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub chosen: MethodArgs,
    /// Also show the steps from IVLP to PromptSRC, adding one self-regulation after the other.
    #[arg(long)]
    pub ablation: bool,
}
