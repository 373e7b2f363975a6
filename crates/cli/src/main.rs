//! The `promptsrc` command: arguments to settings, settings to the library, results to the terminal.

mod args;
mod commands;
mod failure;
mod output;
mod resolve;
mod root;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::failure::Failure;

// The autodiff engine asks for and drops many buffers; mimalloc gives much of that time back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Exits with 2 on wrong usage, with 0 after --help and --version.
    let cli = Cli::parse();
    let result = resolve::threads(cli.common.threads).and_then(|()| match &cli.command {
        Command::Train(args) => commands::train::run(args, &cli.common),
        Command::Eval(args) => commands::eval::run(args, &cli.common),
        Command::Predict(args) => commands::predict::run(args, &cli.common),
        Command::Embed(args) => commands::embed::run(args, &cli.common),
        Command::Sample(args) => commands::sample::run(args, &cli.common),
        Command::Data(args) => commands::data::run(args, &cli.common),
        Command::Inspect(args) => commands::inspect::run(args, &cli.common),
        Command::Convert(args) => commands::convert::run(args, &cli.common),
        Command::Bench(args) => commands::bench::run(&args.command, &cli.common),
        Command::Demo(args) => commands::demo::run(args, &cli.common),
        Command::World(args) => commands::world::run(args, &cli.common),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has gone: nothing is left to say.
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}
