//! Measures how fast promptsrc is on this machine: `cargo run --release -p promptsrc-bench -- WHAT`.
//!
//! Every measurement is a sub-command that prints a table, or with `--json` one line of JSON, and
//! has no effect besides.

mod loader;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// The allocator of the command, so that the figures are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// Measures how fast promptsrc is on this machine.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to measure.
#[derive(Subcommand)]
enum Command {
    /// Pictures a second: decoded, prepared, and loaded.
    Loader(loader::Options),
}

fn main() -> ExitCode {
    let result: Result<(), Failure> = match Cli::parse().command {
        Command::Loader(options) => loader::run(&options).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("promptsrc-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
