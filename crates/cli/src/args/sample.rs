//! The arguments of `promptsrc sample`.

use std::path::PathBuf;

use clap::Args;
use promptsrc::Classes;

use super::values::positive;

#[derive(Args, Debug)]
pub struct SampleArgs {
    /// Images, as for train; not needed with --split.
    #[arg(long, value_name = "PATH", required_unless_present = "split")]
    pub data: Option<PathBuf>,
    /// Split file (CoOp's split_zhou_*.json).
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,
    /// File of class names: one per line in label order, or lines with a folder and its class name.
    #[arg(long, value_name = "FILE")]
    pub class_names: Option<PathBuf>,
    /// Shots (training images) per class.
    #[arg(long, value_name = "K", value_parser = positive, allow_negative_numbers = true)]
    pub shots: usize,
    /// Seed of the sampling.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub seed: u64,
    /// Draw the few-shot images even where the Python reference saved some for this number of shots and
    /// this seed (split_fewshot/shot_K-seed_S.pkl), which are used otherwise, as by the reference.
    #[arg(long)]
    pub ignore_few_shot_cache: bool,
    /// Classes to keep after the sampling, as the reference does.
    #[arg(long, default_value = "all")]
    pub classes: Classes,
}
