//! The `promptsrc` command: arguments to settings, settings to the library, results to the terminal.

mod args;
mod commands;
mod failure;
mod labelled_images;
mod output;
mod resolve;
mod root;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::output::Printer;

// The autodiff engine allocates and frees many buffers; mimalloc makes that much faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Exits with 2 on wrong usage, with 0 after --help and --version.
    let Cli { common, command } = Cli::parse();
    let printer = Printer::new(common.quiet, common.json);
    let result = resolve::threads(common.threads).and_then(|()| match &command {
        Command::Train(args) => commands::train::run(args, &common, &printer),
        Command::Eval(args) => commands::eval::run(args, &common, &printer),
        Command::Predict(args) => commands::predict::run(args, &common, &printer),
        Command::Embed(args) => commands::embed::run(args, &common, &printer),
        Command::Sample(args) => commands::sample::run(args, &printer),
        Command::Data(args) => commands::data::run(args, &printer),
        Command::Inspect(args) => commands::inspect::run(args, &printer),
        Command::Convert(args) => commands::convert::run(args, &common, &printer),
        Command::Bench(args) => commands::bench::run(&args.command, &common, &printer),
        Command::Demo(args) => commands::demo::run(args, &common, &printer),
        Command::World(args) => commands::world::run(args, &printer),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has gone: there is nobody to tell.
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.error(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}
