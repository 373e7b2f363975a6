//! Measures how fast promptsrc is on this machine: `cargo run --release -p promptsrc-perf -- WHAT`.
//!
//! Every measurement is a subcommand that prints a table, or with `--json` one line of JSON, and
//! leaves nothing behind.

mod class_names;
mod common;
mod encode;
mod failure;
mod formats;
mod limit;
mod loader;
mod measured_method;
mod median;
mod needed_work;
mod process;
mod published_work;
mod random_clip;
mod report;
mod serve;
mod startup;
mod step;
mod text_rows;
mod work;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

// The allocator of the command, so that the figures are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures how fast promptsrc is on this machine.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to measure.
#[derive(Subcommand)]
enum Command {
    /// Images per second: decoded, prepared, and loaded.
    Loader(loader::Options),
    /// Seconds per training step of a random ViT-B/16, and the fraction of the machine's limit.
    Step(step::Options),
    /// GFLOP of a training step of each prompt method, by count.
    Work(work::Options),
    /// Images per second through the prompted image tower of a random ViT-B/16.
    Encode(encode::Options),
    /// Seconds from a ViT-B/16 file to the first prediction.
    Startup(startup::Options),
    /// Requests per second of `promptsrc serve` beside `predict`, its memory, and malformed requests.
    Serve(serve::Options),
    /// Seconds of `promptsrc report` for a sweep of the paper's eleven data sets, and the bytes of the page.
    Report(report::Options),
    /// One line of JSON: the precisions that this processor has, and which of them the command takes.
    Formats,
}

fn main() -> ExitCode {
    let result: Result<(), Failure> = match Cli::parse().command {
        Command::Loader(options) => loader::run(&options).map_err(Into::into),
        Command::Step(options) => step::run(&options),
        Command::Work(options) => work::run(&options),
        Command::Encode(options) => encode::run(&options),
        Command::Startup(options) => startup::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Formats => formats::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("promptsrc-perf: {failure}");
            ExitCode::FAILURE
        }
    }
}
