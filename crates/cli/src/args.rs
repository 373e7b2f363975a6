//! The command line: what can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Prompt learning for a frozen CLIP that forgets nothing (PromptSRC, ICCV 2023).
#[derive(Debug, Parser)]
#[command(
    name = "promptsrc",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct Common {
    /// Threads to work with [default: all cores]. The result does not depend on it.
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = threads,
        allow_negative_numbers = true
    )]
    pub threads: Option<usize>,
    /// Device to compute on; GPUs are features of the build.
    #[arg(long, global = true, value_name = "NAME", default_value = "cpu")]
    pub device: String,
    /// Precision of the towers' products; auto takes bf16 where the processor has instructions for
    /// it (AVX512-BF16), else f32. What an adapter was trained in is recorded in it.
    #[arg(long, global = true, value_name = "P", default_value = "auto")]
    pub precision: Precision,
    /// Print the result as JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress on standard error.
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// Precision of the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// The best that the device has.
    Auto,
    /// 32-bit floats.
    F32,
    /// bfloat16 operands, 32-bit sums: twice the speed, half the memory.
    Bf16,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Learn prompts from a few labelled images.
    Train(Box<TrainArgs>),
    /// Measure an adapter, or zero-shot CLIP, on labelled images.
    Eval(EvalArgs),
    /// Classify images among any class names.
    Predict(PredictArgs),
    /// Write image and text features to a safetensors file (not normalised).
    Embed(EmbedArgs),
    /// Print which images a few-shot subset holds.
    Sample(SampleArgs),
    /// The paper's 15 data sets: what of them is there.
    Data(DataSetsArgs),
    /// Say what a weight, adapter, run or checkpoint file holds.
    Inspect(InspectArgs),
    /// Turn a checkpoint of the Python reference into an adapter, or an adapter into such a
    /// checkpoint.
    ///
    /// The input says which way: a checkpoint (model.pth.tar-N of the reference's trainers PromptSRC
    /// and IVLP, or the folder of its run) becomes an adapter; an adapter or a run of promptsrc
    /// becomes a checkpoint of prompts alone that the reference loads (strict=False). Checkpoints
    /// are parsed and never executed. What a checkpoint does not say is taken from the log.txt of
    /// its run, where that lies beside it, and from the options.
    Convert(ConvertArgs),
    /// The built-in world of drawn images and its CLIP, to try things on.
    World(WorldArgs),
    /// Show the method at work: learn, measure and classify on the built-in world.
    Demo(DemoArgs),
    /// Run the paper's benchmarks, as far as they are not done yet, and show their tables.
    Bench(Box<BenchCommands>),
}

/// Which images.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Images: a folder with a subfolder per class, a CSV, TSV or JSONL list, the folder that a
    /// split file speaks of, or world:NAME for a built-in data set.
    #[arg(long, value_name = "PATH")]
    pub data: PathBuf,
    #[command(flatten)]
    pub more: DataOptions,
}

/// How to read them.
#[derive(Args, Clone, Debug)]
pub struct DataOptions {
    /// Split file (CoOp's split_zhou_*.json).
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,
    /// Class names: one a line in label order, or "folder name words" lines.
    #[arg(long, value_name = "FILE")]
    pub class_names: Option<PathBuf>,
    /// Go on without images that are missing.
    #[arg(long)]
    pub allow_missing: bool,
}

/// A part of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassesArg {
    /// All classes.
    All,
    /// The first half of the classes, rounded up.
    Base,
    /// The other half.
    #[value(alias = "new")]
    Novel,
}

#[derive(Args, Debug)]
pub struct TrainArgs {
    /// CLIP: a weight file or folder (OpenAI, Hugging Face, OpenCLIP), a name to fetch
    /// (ViT-B/16, ViT-B/32, ViT-L/14, ViT-L/14@336px, or a hub id), or mini: a small CLIP of the
    /// built-in world.
    #[arg(long, value_name = "CLIP")]
    pub clip: String,
    #[command(flatten)]
    pub data: DataArgs,
    /// Images a class, or "all".
    #[arg(
        long,
        value_name = "K",
        default_value = "16",
        value_parser = shots,
        allow_negative_numbers = true
    )]
    pub shots: Shots,
    /// Seed of the few-shot picks, the initial prompts, the order and the augmentation.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub seed: u64,
    /// Classes to learn.
    #[arg(long, default_value = "all")]
    pub classes: ClassesArg,
    /// Folder of the run: adapter, state, log, configuration, metrics.
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    /// Go on with what RUN holds, or start where it holds nothing.
    #[arg(long)]
    pub resume: bool,
    /// Configuration to start from: base-to-novel, few-shot or cross-dataset, as published; or
    /// mini, for the CLIP of that name.
    #[arg(long, value_name = "NAME", default_value = "base-to-novel")]
    pub preset: promptsrc::Preset,
    /// Method: promptsrc, or ivlp (cross-entropy alone).
    #[arg(long, value_name = "NAME", default_value = "promptsrc")]
    pub method: promptsrc::Method,
    /// Configuration file to start from instead of the preset (its table [train]).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "method"])]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub overrides: Overrides,
}

/// Settings that replace the preset's.
#[derive(Args, Debug)]
#[command(next_help_heading = "Settings that replace the preset's")]
pub struct Overrides {
    /// Passes over the shots.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Images a step.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub batch_size: Option<usize>,
    /// Least part of an image's area that a random crop covers, above 0 and up to 1.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub crop_scale: Option<f64>,
    /// Learning rate.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Momentum.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub momentum: Option<f64>,
    /// Weight decay.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub weight_decay: Option<f64>,
    /// Epochs of warm-up at a constant low rate.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub warmup_epochs: Option<usize>,
    /// Learning rate of the warm-up.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub warmup_lr: Option<f64>,
    /// Learnable text context tokens.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub text_context: Option<usize>,
    /// Learnable visual tokens.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub vision_context: Option<usize>,
    /// Text layers with prompts of their own, the input's included.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub text_depth: Option<usize>,
    /// Image layers with prompts of their own; 0: no visual prompts.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub vision_depth: Option<usize>,
    /// Words that the text context begins as; empty: at random.
    #[arg(long, value_name = "WORDS")]
    pub ctx_init: Option<String>,
    /// Mean of the Gaussian prompt aggregation, in epochs.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub gpa_mean: Option<f64>,
    /// Deviation of the Gaussian prompt aggregation, in epochs.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub gpa_std: Option<f64>,
    /// No prompt aggregation: the last epoch's prompts.
    #[arg(long, conflicts_with_all = ["gpa_mean", "gpa_std"])]
    pub no_gpa: bool,
    /// Weight of the agreement of text features.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub text_loss_weight: Option<f64>,
    /// Weight of the agreement of image features.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub image_loss_weight: Option<f64>,
    /// Weight of the agreement of logits.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub logits_loss_weight: Option<f64>,
    /// Templates of the frozen text feature, one a line with {} for the class name [default: 60].
    #[arg(long, value_name = "FILE")]
    pub templates: Option<PathBuf>,
}

/// Templates of zero-shot CLIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TemplatesArg {
    /// "a photo of a {}."
    Single,
    /// The data set's own template.
    DataSet,
    /// Seven chosen templates, and the data set's own.
    Ensemble,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PartArg {
    /// Training images.
    Train,
    /// Validation images.
    Val,
    /// Test images.
    Test,
}

#[derive(Args, Debug)]
#[command(
    override_usage = "promptsrc eval [OPTIONS] --data <PATH> <RUN>\n       \
                      promptsrc eval [OPTIONS] --data <PATH> --zero-shot --clip <CLIP>"
)]
pub struct EvalArgs {
    /// Folder of a run, an adapter file, or a checkpoint of the Python reference.
    #[arg(value_name = "RUN", required_unless_present = "zero_shot")]
    pub run: Option<PathBuf>,
    /// CLIP without prompts.
    #[arg(long, conflicts_with = "run", requires = "clip")]
    pub zero_shot: bool,
    /// CLIP, if it is not where the run had it.
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    #[command(flatten)]
    pub data: DataArgs,
    /// Classes to tell apart.
    #[arg(long, default_value = "all")]
    pub classes: ClassesArg,
    /// Images to measure on.
    #[arg(long, default_value = "test")]
    pub part: PartArg,
    /// Templates of zero-shot CLIP [default: single].
    #[arg(long, conflicts_with = "run")]
    pub templates: Option<TemplatesArg>,
    /// A template of your own, with {} for the class name; may be given more than once.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["run", "templates"])]
    pub template: Vec<String>,
}

#[derive(Args, Debug)]
#[command(
    override_usage = "promptsrc predict [OPTIONS] <RUN> <IMAGE>...\n       \
                      promptsrc predict [OPTIONS] --zero-shot --clip <CLIP> --names <A,B,C> <IMAGE>..."
)]
pub struct PredictArgs {
    /// Folder of a run, an adapter file or a checkpoint of the Python reference, then images or
    /// folders of images; with --zero-shot images alone.
    #[arg(value_name = "RUN IMAGE", required = true, num_args = 1..)]
    pub inputs: Vec<PathBuf>,
    /// CLIP without prompts.
    #[arg(long, requires = "clip")]
    pub zero_shot: bool,
    /// CLIP, if it is not where the run had it.
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Class names, separated by commas [default: those of the training].
    #[arg(long, value_name = "A,B,C")]
    pub names: Option<String>,
    /// Class names, one a line.
    #[arg(long, value_name = "FILE", conflicts_with = "names")]
    pub names_file: Option<PathBuf>,
    /// Names to print for each image.
    #[arg(
        long,
        value_name = "K",
        default_value = "5",
        value_parser = positive,
        allow_negative_numbers = true
    )]
    pub top_k: usize,
}

#[derive(Args, Debug)]
pub struct EmbedArgs {
    /// CLIP: a weight file or folder, a name to fetch, or mini.
    #[arg(long, value_name = "CLIP")]
    pub clip: String,
    /// Images or folders of images.
    #[arg(long, value_name = "PATH", num_args = 1.., required_unless_present = "texts")]
    pub images: Vec<PathBuf>,
    /// Texts, one a line.
    #[arg(long, value_name = "FILE")]
    pub texts: Option<PathBuf>,
    /// Cut texts that are longer than the context instead of refusing them.
    #[arg(long)]
    pub truncate: bool,
    /// File to write: tensors image_features and text_features.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Args, Debug)]
pub struct SampleArgs {
    /// Images, as for train; not needed with --split.
    #[arg(long, value_name = "PATH", required_unless_present = "split")]
    pub data: Option<PathBuf>,
    /// Split file (CoOp's split_zhou_*.json).
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,
    /// Class names: one a line in label order, or "folder name words" lines.
    #[arg(long, value_name = "FILE")]
    pub class_names: Option<PathBuf>,
    /// Images a class.
    #[arg(long, value_name = "K", value_parser = positive, allow_negative_numbers = true)]
    pub shots: usize,
    /// Seed.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub seed: u64,
    /// Classes to keep after the sampling, as the reference does.
    #[arg(long, default_value = "all")]
    pub classes: ClassesArg,
}

#[derive(Args, Debug)]
pub struct InspectArgs {
    /// A weight file or folder, an adapter, a run folder or a file in it, or a checkpoint.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Args, Debug)]
pub struct ConvertArgs {
    /// Checkpoint, or folder of the reference's run; adapter, or folder of a run.
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// Adapter file to write; or folder that gets VLPromptLearner/model.pth.tar-N.
    #[arg(value_name = "OUTPUT")]
    pub output: PathBuf,
    /// CLIP that the prompts belong to: checked, and recorded in an adapter.
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Epoch: of several checkpoints the one to read; of the one to write its number [default: the
    /// newest; the epochs of the run].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub epoch: Option<usize>,
    /// Replace files that are there.
    #[arg(long)]
    pub force: bool,
    /// Class names of the checkpoint's training, one a line in label order; with --clip they are
    /// checked against its tokens.
    #[arg(long, value_name = "FILE", help_heading = FROM_CHECKPOINT)]
    pub class_names: Option<PathBuf>,
    /// Words that the checkpoint's text context began as [default: a photo of a].
    #[arg(long, value_name = "WORDS", help_heading = FROM_CHECKPOINT)]
    pub ctx_init: Option<String>,
    /// Method of the checkpoint [default: as the file shows].
    #[arg(long, value_name = "NAME", help_heading = FROM_CHECKPOINT)]
    pub method: Option<promptsrc::Method>,
    /// Published configuration to record for settings that nothing says [default: base-to-novel].
    #[arg(long, value_name = "NAME", help_heading = FROM_CHECKPOINT)]
    pub preset: Option<promptsrc::Preset>,
}

const FROM_CHECKPOINT: &str = "What a checkpoint does not say";

#[derive(Args, Debug)]
pub struct DataSetsArgs {
    #[command(subcommand)]
    pub command: DataSetsCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataSetsCommand {
    /// Say what of the paper's 15 data sets is below a folder, and where to get the rest. Opens no
    /// image and writes nothing; exits with 1 if a data set that is there is not whole.
    Check(CheckArgs),
}

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Folder of the data sets, as CoOp's DATASETS.md lays them out: ROOT/imagenet, ROOT/eurosat...
    #[arg(value_name = "ROOT")]
    pub root: PathBuf,
}

/// Shots a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shots {
    /// So many.
    Some(usize),
    /// Every image.
    All,
}

fn shots(text: &str) -> Result<Shots, String> {
    match text {
        "all" => Ok(Shots::All),
        _ => positive(text)
            .map(Shots::Some)
            .map_err(|e| format!("{e}, or \"all\"")),
    }
}

/// Far above any machine's cores; more would only wait for the system to start them.
const MOST_THREADS: usize = 1024;

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MOST_THREADS).contains(&n) => Ok(n),
        _ => Err(format!("expected a whole number from 1 to {MOST_THREADS}")),
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of at least 1".to_string()),
        Ok(n) => Ok(n),
    }
}

#[derive(Args, Debug)]
pub struct WorldArgs {
    #[command(subcommand)]
    pub command: WorldCommand,
}

#[derive(Debug, Subcommand)]
pub enum WorldCommand {
    /// List its data sets; `--data world:NAME` takes one in any command.
    List,
    /// Write data sets as folders of PNG files with split files, for any other program.
    Export(ExportArgs),
    /// Write its CLIP, `--clip mini`, as an ordinary safetensors file in OpenAI's naming.
    Clip(ClipFileArgs),
}

#[derive(Args, Debug)]
pub struct ClipFileArgs {
    /// File to write.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Base-to-novel generalisation on the built-in data sets: zero-shot CLIP, IVLP and PromptSRC
/// learn half of the classes and are measured on both halves. Needs no image, no CLIP and no
/// network; the same as the commands that it prints.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Folder of the runs; those that are finished there are not made again.
    #[arg(long, value_name = "DIR", default_value = "runs/demo")]
    pub out: PathBuf,
    /// Seeds, separated by commas; of several, means and deviations are shown.
    #[arg(long, value_name = "S,S", value_delimiter = ',', default_value = "1")]
    pub seeds: Vec<u64>,
    /// Images a class.
    #[arg(
        long,
        value_name = "K",
        default_value = "16",
        value_parser = positive,
        allow_negative_numbers = true
    )]
    pub shots: usize,
    /// Data sets [default: all that are for it; see `promptsrc world list`].
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub sets: Vec<String>,
    /// Also the steps from IVLP to PromptSRC, one self-regulation after the other.
    #[arg(long)]
    pub ablation: bool,
}

#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Folder to write into; each data set gets a folder of its own in it.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Data sets to write [default: all].
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub sets: Vec<String>,
}

#[derive(Args, Debug)]
pub struct BenchCommands {
    #[command(subcommand)]
    pub command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Learn half of the classes, measure both halves.
    BaseToNovel(BenchArgs),
    /// Learn all classes from 1, 2, 4, 8 and 16 images each.
    FewShot(BenchArgs),
    /// Learn all classes of ImageNet (of the world: source), measure the other data sets.
    CrossDataset(BenchArgs),
    /// Learn all classes of ImageNet (of the world: source), measure ImageNetV2, -Sketch, -A and
    /// -R (source-sketch, source-night, ...).
    DomainGeneralization(BenchArgs),
    /// Collect the results that a folder holds.
    Table(TableArgs),
}

/// Each combination of method, data set, shots and seed is a run with a folder of its own,
/// DIR/protocol/method/data set/shots_K/seed_S. What is finished there is not made again, what was
/// stopped goes on, and several processes may work in one DIR.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Folder with the data sets in the folders that CoOp gives them (imagenet, caltech-101, ...),
    /// or world: the built-in ones.
    #[arg(long, value_name = "ROOT")]
    pub root: PathBuf,
    /// CLIP, as for train [default with --root world: mini].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Folder of the runs.
    #[arg(long, value_name = "DIR", default_value = "runs/bench")]
    pub out: PathBuf,
    /// Data sets to learn and measure, separated by commas; in a transfer those to measure
    /// [default: the paper's].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub datasets: Vec<String>,
    /// Methods, separated by commas.
    #[arg(
        long,
        value_name = "A,B",
        value_delimiter = ',',
        value_parser = method,
        default_value = "zero-shot,ivlp,promptsrc"
    )]
    pub methods: Vec<&'static dyn promptsrc::methods::Method>,
    /// Seeds, separated by commas.
    #[arg(
        long,
        value_name = "S,S",
        value_delimiter = ',',
        default_value = "1,2,3"
    )]
    pub seeds: Vec<u64>,
    /// Images a class, separated by commas [default: 16; of few-shot 1,2,4,8,16].
    #[arg(
        long,
        value_name = "K,K",
        value_delimiter = ',',
        value_parser = positive,
        allow_negative_numbers = true
    )]
    pub shots: Vec<usize>,
    /// Configuration instead of the protocol's published one: base-to-novel, few-shot,
    /// cross-dataset or mini [default of --clip mini: for small images].
    #[arg(long, value_name = "NAME")]
    pub preset: Option<promptsrc::Preset>,
    /// Do the I-th of N parts of the runs only.
    #[arg(long, value_name = "I/N", value_parser = only)]
    pub only: Option<Only>,
    /// List the runs and what they cost, and do nothing.
    #[arg(long)]
    pub plan: bool,
    /// Go on without images that are missing.
    #[arg(long)]
    pub allow_missing: bool,
    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct TableArgs {
    /// Folder of the runs.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// How to write it: terminal, markdown, csv, latex or json.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<promptsrc_protocols::Format>,
    /// Of one protocol only.
    #[arg(long, value_name = "NAME")]
    pub protocol: Option<promptsrc_protocols::Protocol>,
}

/// A part of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Only {
    /// Which, from 1.
    pub part: usize,
    /// Of how many.
    pub parts: usize,
}

fn only(text: &str) -> Result<Only, String> {
    const MOST: usize = 100_000;
    let read = || {
        let (part, parts) = text.split_once('/')?;
        let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
        let right = (1..=parts).contains(&part) && parts <= MOST;
        right.then_some(Only { part, parts })
    };
    read().ok_or_else(|| "expected I/N, as in 1/3: the first of three parts".to_string())
}

fn method(name: &str) -> Result<&'static dyn promptsrc::methods::Method, String> {
    promptsrc::methods::find(name).map_err(|e| e.to_string())
}
