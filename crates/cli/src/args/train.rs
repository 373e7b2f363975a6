//! The arguments of `promptsrc train`.

use std::path::PathBuf;

use clap::Args;
use promptsrc::{Classes, Preset};

use super::labelled::DataArgs;
use super::overrides::OverrideArgs;
use super::values::{Shots, learning_method, shots};

#[derive(Args, Debug)]
pub struct TrainArgs {
    /// CLIP: a weight file or folder (OpenAI, Hugging Face, OpenCLIP), a name to download
    /// (ViT-B/16, ViT-B/32, ViT-L/14, ViT-L/14@336px, or a Hugging Face hub id), or mini, the small
    /// built-in CLIP.
    #[arg(long, value_name = "CLIP")]
    pub clip: String,
    #[command(flatten)]
    pub data: DataArgs,
    /// Shots (training images) per class, or "all".
    #[arg(
        long,
        value_name = "K",
        default_value = "16",
        value_parser = shots,
        allow_negative_numbers = true
    )]
    pub shots: Shots,
    /// Seed of the few-shot subset, the initial prompts, the order of the images and the
    /// augmentation.
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
    /// Classes to learn.
    #[arg(long, default_value = "all")]
    pub classes: Classes,
    /// Folder of the run: adapter, state, log, configuration, metrics.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Write losses and learning rate as event files of TensorBoard too, to DIR [default: the folder
    /// tensorboard in RUN].
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    pub tensorboard: Option<Option<PathBuf>>,
    /// Resume the run in RUN, or start a new run if RUN does not contain one.
    #[arg(long)]
    pub resume: bool,
    /// Configuration to start from: base-to-novel, few-shot or cross-dataset, as published; or
    /// mini, for small images [default: base-to-novel; with --clip mini: mini].
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,
    /// Method: promptsrc; ivlp (the same prompts, trained with cross-entropy only); coop (a learned
    /// text context), kgcoop or prograd (the same, guided by the frozen CLIP), cocoop (a context that
    /// depends on the image); maple (visual prompts made from text prompts). On frozen image features:
    /// linear-probe, zs-lp, clap, lp++, tip-adapter, tip-adapter-f, clip-adapter.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "promptsrc",
        value_parser = learning_method
    )]
    pub method: String,
    /// Configuration file to use instead of a preset (its train table).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "method"])]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}
