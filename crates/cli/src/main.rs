//! The `promptsrc` command: checks the arguments, calls the library and prints the results.

mod args;
mod commands;
mod failure;
mod output;
mod reference_files;
mod report;
mod settings;

use std::process::ExitCode;

use clap::Parser;
use promptsrc_clip::InstructionSet;

use crate::args::{Cli, Command, Common};
use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{
    BenchSettings, ConvertSettings, DemoSettings, EmbedSettings, EvalSettings, ExportSettings,
    PredictSettings, SampleSettings, TrainSettings,
};

// The autodiff engine allocates and frees many buffers; mimalloc makes that much faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Exits with 2 on wrong usage, with 0 after --help and --version.
    let Cli { common, command } = Cli::parse();
    let printer = Printer::new(common.quiet, common.json);
    let result = settings::threads(common.threads)
        .and_then(|()| InstructionSet::chosen().map_err(Failure::usage))
        .and_then(|_| run(&command, &common, &printer));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed standard output, as `head` does: not an error.
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.error(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Checks the settings of a command, then runs it.
fn run(command: &Command, common: &Common, printer: &Printer) -> Result<(), Failure> {
    match command {
        Command::Train(args) => commands::train::run(&TrainSettings::new(args, common)?, printer),
        Command::Eval(args) => commands::eval::run(EvalSettings::new(args, common)?, printer),
        Command::Predict(args) => {
            commands::predict::run(PredictSettings::new(args, common)?, printer)
        }
        Command::Embed(args) => commands::embed::run(&EmbedSettings::new(args, common)?, printer),
        Command::Export(args) => commands::export::run(ExportSettings::new(args, common)?, printer),
        Command::Sample(args) => commands::sample::run(&SampleSettings::new(args)?, printer),
        Command::Data(args) => commands::data::run(args, printer),
        Command::Inspect(args) => commands::inspect::run(args, common, printer),
        Command::Convert(args) => {
            commands::convert::run(ConvertSettings::new(args, common)?, printer)
        }
        Command::Bench(args) => match BenchSettings::new(&args.command, common)? {
            BenchSettings::Table(args) => commands::bench::table(args, printer),
            BenchSettings::Sweep(settings) => commands::bench::run(&settings, printer),
        },
        Command::Demo(args) => commands::demo::run(&DemoSettings::new(args, common)?, printer),
        Command::World(args) => commands::world::run(args, printer),
    }
}
