//! The command line: one file per command, and files for the arguments that several commands share.

mod bench;
mod calibrate;
mod calibration;
mod checkpoint;
mod completions;
mod convert;
mod data;
mod demo;
mod embed;
mod eval;
mod exif;
mod export;
mod inspect;
mod labelled;
mod methods;
mod overrides;
mod predict;
mod report;
mod sample;
mod serve;
mod train;
mod values;
mod world;

pub use bench::{
    BenchArgs, BenchCommand, BenchCommands, MOST_PARTS, Only, Scheduler, Share, TableArgs,
};
pub use calibrate::CalibrateArgs;
pub use calibration::CalibrationArgs;
pub use checkpoint::{CheckpointArgs, UsedCheckpointArgs};
pub use completions::{CompletionsArgs, ManArgs};
pub use convert::ConvertArgs;
pub use data::{CheckArgs, DataSetsArgs, DataSetsCommand};
pub use demo::DemoArgs;
pub use embed::EmbedArgs;
pub use eval::{EvalArgs, TemplatesArg};
pub use export::{ExportModelArgs, ExportedTower};
pub use inspect::InspectArgs;
pub use labelled::{DataArgs, DataOptions};
pub use overrides::OverrideArgs;
pub use predict::{PredictArgs, PredictFormat};
pub use report::ReportArgs;
pub use sample::SampleArgs;
pub use serve::{BoundArgs, ServeArgs};
pub use train::TrainArgs;
pub use values::Shots;
pub use world::{ClipFileArgs, ExportArgs, WorldArgs, WorldCommand};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use promptsrc::PrecisionChoice;
use promptsrc_clip::{Activation, weights::WeightOptions};

use crate::host::Host;
use values::{activation, heads, positive, threads};

/// Prompt learning for a frozen CLIP that forgets nothing (PromptSRC, ICCV 2023).
#[derive(Debug, Parser)]
#[command(
    name = "promptsrc",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "Exit codes: 0 success, 1 failure, 2 wrong usage.")]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of all commands.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of all commands")]
pub struct Common {
    /// Number of threads [default: all cores]. The result does not depend on it.
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = threads,
        allow_negative_numbers = true
    )]
    pub threads: Option<usize>,
    /// Device to compute on: cpu, or one that was enabled when promptsrc was built: wgpu (any graphics
    /// driver), vulkan, metal, cuda, rocm. It is compared with the CPU before it is used.
    #[arg(long, global = true, value_name = "NAME", default_value = "cpu")]
    pub device: String,
    /// Precision of the matrix products in the towers; auto is bf16 on a processor by AMD with
    /// instructions for it (AVX512-BF16), otherwise f32. An adapter is evaluated in the precision of
    /// its training, which it records, unless another one is given here. export takes f32 for auto.
    #[arg(long, global = true, value_name = "P", default_value = "auto")]
    pub precision: PrecisionChoice,
    /// Activation of a CLIP whose weights have no configuration beside them: quick-gelu (OpenAI's,
    /// assumed unless given) or gelu (most of OpenCLIP's). A run records these settings.
    #[arg(long, global = true, value_name = "NAME", value_parser = activation, hide_short_help = true)]
    pub activation: Option<Activation>,
    /// Attention heads of such a CLIP's image and text tower, such as 12,8 [default: a head for
    /// every 64 of the width].
    #[arg(long, global = true, value_name = "IMAGE,TEXT", value_parser = heads, hide_short_help = true)]
    pub heads: Option<[usize; 2]>,
    /// Side of such a CLIP's images, in pixels [default: what its patches fill].
    #[arg(long, global = true, value_name = "PIXELS", value_parser = positive, hide_short_help = true)]
    pub image_size: Option<usize>,
    /// What the names of the CLIP's tensors begin with, in a weight file with several CLIPs, such as
    /// a moving average beside the model.
    #[arg(long, global = true, value_name = "PREFIX", hide_short_help = true)]
    pub clip_prefix: Option<String>,
    /// Folder where feature methods keep image features, so that an image is encoded once; none: only
    /// in memory [default: promptsrc/features in the user's cache folder]. It may be removed at any time.
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub feature_cache: Option<PathBuf>,
    /// Print the result as JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress on standard error.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// The program that has called the command, if it is not a process of its own.
    #[arg(skip)]
    pub host: Option<Host>,
}

impl Common {
    /// What the options say about weights without a configuration.
    pub fn weights(&self) -> WeightOptions {
        WeightOptions {
            activation: self.activation,
            heads: self.heads,
            image_size: self.image_size,
            prefix: self.clip_prefix.clone(),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Learn prompts from a few labelled images.
    Train(Box<TrainArgs>),
    /// Evaluate an adapter, or zero-shot CLIP, on labelled images.
    Eval(EvalArgs),
    /// Make answers reliable: a temperature, prediction sets with a promised coverage, and a threshold for
    /// unknown classes, from labelled images that were not trained on.
    ///
    /// The calibration is stored beside the adapter; eval and predict use it. Sets and threshold hold for images
    /// like those of the calibration, and for its class names, only.
    Calibrate(Box<CalibrateArgs>),
    /// Classify images among any class names.
    Predict(PredictArgs),
    /// Answer requests over HTTP: images in, probabilities of class names out, and a page to try it on.
    ///
    /// The address has a page on which one drops images (/), POST /v1/predict and /v1/embed, /healthz, /readyz,
    /// /metrics, and a description of all of them (/openapi.json). Requests that wait are answered as one
    /// batch; the numbers are those of predict. SIGTERM and SIGINT end the service when what is under way is
    /// answered.
    Serve(Box<ServeArgs>),
    /// Write image and text features to a safetensors file (not normalised).
    Embed(EmbedArgs),
    /// Write a classifier, or CLIP's towers, as ONNX models that other runtimes serve.
    ///
    /// A model takes prepared images of any number: the file NAME.json beside it says how they are
    /// prepared, and names the classes; the model's metadata says the same. Learned prompts of the
    /// image tower are part of the graph, and the class features are a matrix in it, so neither text
    /// tower nor tokenizer is needed. Everything is computed in f32, by operators of the ONNX standard
    /// (opset 17). Without --names, --clip exports its frozen towers.
    Export(ExportModelArgs),
    /// Print which images a few-shot subset contains.
    Sample(SampleArgs),
    /// Check which of the paper's 15 data sets exist and are complete.
    Data(DataSetsArgs),
    /// Describe a weight, adapter, run or checkpoint file.
    Inspect(InspectArgs),
    /// Convert a checkpoint of a Python reference to an adapter, or an adapter to such a
    /// checkpoint.
    ///
    /// The input decides the direction: a checkpoint (model.pth.tar-N or model-best.pth.tar of the
    /// published trainers PromptSRC, IVLP, MaPLe, CoOp, CoCoOp, KgCoOp and ProGrad, or the folder of
    /// its run) becomes an adapter; an adapter or a run of promptsrc becomes a checkpoint that
    /// contains only what was learned, which its trainer loads (strict=False). Checkpoints are parsed
    /// and never executed. What a checkpoint does not record is taken from the log.txt of its run, if
    /// that file is next to it, and from the options.
    Convert(ConvertArgs),
    /// List or export the built-in world: synthetic data sets and a small CLIP for experiments.
    World(WorldArgs),
    /// Demonstrate the method: train, evaluate and classify on the built-in world.
    Demo(DemoArgs),
    /// Write a page of runs, or of a sweep: one HTML file with plots, tables and thumbnails.
    ///
    /// A run is evaluated on the test images that it recorded, among its base and novel classes or all of
    /// them, beside zero-shot CLIP. Of a sweep, the folder of bench, the results are taken as they are.
    /// The page needs no network, and is read on a phone as at a desk.
    Report(Box<ReportArgs>),
    /// Run the paper's benchmarks, except for finished runs, and print their tables.
    Bench(Box<BenchCommands>),
    /// Print a script with which a shell completes the command line.
    ///
    /// bash: promptsrc completions bash > ~/.local/share/bash-completion/completions/promptsrc; zsh: a file
    /// _promptsrc in a folder of $fpath; fish: ~/.config/fish/completions/promptsrc.fish.
    Completions(CompletionsArgs),
    /// Write manual pages.
    #[command(hide = true)]
    Man(ManArgs),
}
