//! The arguments of `promptsrc bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::methods::MethodArgs;
use super::overrides::OverrideArgs;
use super::values::positive;

#[derive(Args, Debug)]
pub struct BenchCommands {
    #[command(subcommand)]
    pub command: BenchCommand,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Train on half of the classes, evaluate on both halves.
    BaseToNovel(BenchArgs),
    /// Train on all classes with 1, 2, 4, 8 and 16 shots per class.
    FewShot(BenchArgs),
    /// Train on all classes of ImageNet (with --root world: source), evaluate on the other data
    /// sets.
    CrossDataset(BenchArgs),
    /// Train on all classes of ImageNet (with --root world: source), evaluate on ImageNetV2,
    /// -Sketch, -A and -R (source-sketch, source-night, ...).
    DomainGeneralization(BenchArgs),
    /// Print the tables of the results in a folder.
    Table(TableArgs),
}

/// Each combination of method, data set, shots and seed is a run with its own folder,
/// DIR/protocol/method/data set/shots_K/seed_S. Finished runs are not repeated, interrupted runs
/// are resumed, and several processes can use the same DIR.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Folder of the data sets, with CoOp's folder names (imagenet, caltech-101, ...), or world for
    /// the built-in data sets.
    #[arg(long, value_name = "ROOT")]
    pub root: PathBuf,
    /// CLIP, as for train [default with --root world: mini].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Folder of the runs.
    #[arg(long, value_name = "DIR", default_value = "runs/bench")]
    pub out: PathBuf,
    /// Data sets to train and evaluate on, separated by commas; for cross-dataset and
    /// domain-generalization those to evaluate on [default: the paper's].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub datasets: Vec<String>,
    #[command(flatten)]
    pub chosen: MethodArgs,
    /// Add the steps of the paper's ablation, one self-regulation after the other: ivlp,
    /// ivlp+agreement, ivlp+agreement+gpa, promptsrc.
    #[arg(long)]
    pub ablation: bool,
    #[command(flatten)]
    pub compare: BaselineArgs,
    /// Seeds, separated by commas.
    #[arg(
        long,
        value_name = "S,S",
        value_delimiter = ',',
        default_value = "1,2,3"
    )]
    pub seeds: Vec<u64>,
    /// Shots per class, separated by commas [default: 16; for few-shot 1,2,4,8,16].
    #[arg(
        long,
        value_name = "K,K",
        value_delimiter = ',',
        value_parser = positive,
        allow_negative_numbers = true
    )]
    pub shots: Vec<usize>,
    /// Preset to use instead of the protocol's: base-to-novel, few-shot, cross-dataset or mini
    /// [default with --clip mini: adapted to small images].
    #[arg(long, value_name = "NAME")]
    pub preset: Option<promptsrc::Preset>,
    /// Execute only the I-th of N parts of the runs; auto: the part of this job in its Slurm array
    /// (SLURM_ARRAY_TASK_ID) or indexed Kubernetes job (JOB_COMPLETION_INDEX, JOB_COMPLETIONS).
    #[arg(long, value_name = "I/N", value_parser = only)]
    pub only: Option<Only>,
    /// List the runs and their cost without executing them.
    #[arg(long)]
    pub plan: bool,
    /// With --plan: print a job script (slurm) or manifest (kubernetes) that executes this command in
    /// parts.
    #[arg(long, value_name = "FORMAT", requires = "plan", conflicts_with_all = ["only", "json"])]
    pub format: Option<Scheduler>,
    /// With --format: number of parts [default: one for each run, at most 1000].
    #[arg(
        long,
        value_name = "N",
        requires = "format",
        value_parser = positive,
        allow_negative_numbers = true
    )]
    pub parts: Option<usize>,
    /// Leave out images that are missing instead of failing.
    #[arg(long)]
    pub allow_missing: bool,
    /// Leave out images that cannot be decoded instead of failing.
    #[arg(long)]
    pub allow_unreadable: bool,
    /// Turn images by their EXIF orientation, which the Python reference does not.
    #[arg(long)]
    pub exif: bool,
    /// Draw the few-shot images even where the Python reference saved some for these shots and
    /// seed (split_fewshot/shot_K-seed_S.pkl), which are used otherwise, as by the reference.
    #[arg(long)]
    pub ignore_few_shot_cache: bool,
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

/// Tables with differences.
#[derive(Args, Debug)]
pub struct BaselineArgs {
    /// Show the difference of each method to this one, with paired t-tests over the seeds and over
    /// the data sets.
    #[arg(long, value_name = "METHOD")]
    pub baseline: Option<String>,
}

#[derive(Args, Debug)]
pub struct TableArgs {
    /// Folder of the runs.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Format: terminal, markdown, csv, latex or json.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<promptsrc_protocols::Format>,
    /// Write a line for each seed instead of the tables, as CSV: data set, method, seed, metric, value,
    /// CLIP, precision, epochs, program.
    #[arg(long, conflicts_with_all = ["published", "baseline"])]
    pub per_seed: bool,
    /// Add the published results of CLIP, CoOp, CoCoOp, MaPLe and others as rows marked "(published)",
    /// with their sources [default: where every result of the table can be compared with them].
    #[arg(long)]
    pub published: bool,
    #[command(flatten)]
    pub compare: BaselineArgs,
    /// Print only the tables of this protocol.
    #[arg(long, value_name = "NAME")]
    pub protocol: Option<promptsrc_protocols::Protocol>,
}

/// What runs parts of a benchmark on many machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    /// A job array.
    Slurm,
    /// An indexed job.
    Kubernetes,
}

/// The runs to execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// A part of them.
    Given(Share),
    /// The part that the scheduler gives to this process.
    Auto,
}

/// A part of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Number of the part, from 1.
    pub part: usize,
    /// Number of parts.
    pub parts: usize,
}

/// Most parts that a benchmark is divided into.
pub const MOST_PARTS: usize = 100_000;

fn only(text: &str) -> Result<Only, String> {
    if text == "auto" {
        return Ok(Only::Auto);
    }
    let read = || {
        let (part, parts) = text.split_once('/')?;
        let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
        let right = (1..=parts).contains(&part) && parts <= MOST_PARTS;
        right.then_some(Only::Given(Share { part, parts }))
    };
    read().ok_or_else(|| {
        "expected I/N, for example 1/3 for the first of three parts, or auto".to_string()
    })
}
