//! The `promptsrc` command as a library: checks the arguments, calls the libraries and prints the
//! results, or gives them to a program that calls it ([`Host`]).

mod args;
mod commands;
mod evaluation_files;
mod failure;
mod host;
mod labelled_evaluation;
mod output;
mod reference_files;
mod settings;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use promptsrc_clip::InstructionSet;

pub use crate::failure::{Failure, STOPPED};
pub use crate::host::{Answer, Host, Observer};

use crate::args::{Cli, Command, Common};
use crate::output::Printer;
use crate::settings::{
    BenchSettings, CalibrateSettings, ConvertSettings, DemoSettings, EmbedSettings, EvalSettings,
    ExportSettings, PredictSettings, ReportSettings, SampleSettings, ServeSettings, TrainSettings,
};

/// The command as a process: results on standard output, everything else on standard error.
/// `arguments`: the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(run_as_process(arguments.into_iter().collect()))
}

/// As [`main`], and gives the exit code as a number.
pub fn run_as_process(arguments: Vec<OsString>) -> u8 {
    // Exits with 2 on wrong usage, with 0 after --help and --version.
    let Cli { common, command } = Cli::parse_from(&arguments);
    let printer = Printer::new(&common);
    let result = settings::threads(common.threads)
        .and_then(|()| guarded(&command, &common, &arguments, &printer));
    match result {
        Ok(()) => 0,
        // The reader has closed standard output, as `head` does: not an error.
        Err(Failure::OutputClosed) => 0,
        Err(failure) => {
            printer.error(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// Sets the number of threads of all arithmetic of this process, before anything is computed.
///
/// # Errors
/// [`Failure`] if it has been set already.
pub fn set_threads(threads: usize) -> Result<(), Failure> {
    settings::threads(Some(threads))
}

/// The command within another program: what it would print is returned. `arguments`: the program's name
/// first; results are JSON. The number of threads is the program's affair.
///
/// # Errors
/// [`Failure`], with what the command had to say before it; the text of clap where the arguments are wrong.
pub fn answer(arguments: Vec<OsString>, host: Host) -> Result<Answer, (Failure, Answer)> {
    let parsed = Cli::try_parse_from(&arguments);
    let Cli {
        mut common,
        command,
    } = parsed.map_err(|error| (Failure::usage(usage(&error)), Answer::default()))?;
    common.json = true;
    common.quiet = true;
    common.host = Some(host);
    let printer = Printer::new(&common);
    match guarded(&command, &common, &arguments, &printer) {
        Ok(()) => Ok(printer.answered()),
        Err(failure) => Err((failure, printer.answered())),
    }
}

/// What clap says, without its marks and its advice for a terminal.
fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let text = lines.join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_string()
}

/// As [`run`]; a device that fails in the middle of it is an error.
fn guarded(
    command: &Command,
    common: &Common,
    arguments: &[OsString],
    printer: &Printer,
) -> Result<(), Failure> {
    promptsrc::catching(&common.device, || run(command, common, arguments, printer))?
}

/// Checks the settings of a command, then runs it.
fn run(
    command: &Command,
    common: &Common,
    arguments: &[OsString],
    printer: &Printer,
) -> Result<(), Failure> {
    InstructionSet::chosen().map_err(Failure::usage)?;
    match command {
        Command::Train(args) => commands::train::run(&TrainSettings::new(args, common)?, printer),
        Command::Eval(args) => commands::eval::run(EvalSettings::new(args, common)?, printer),
        Command::Calibrate(args) => {
            commands::calibrate::run(CalibrateSettings::new(args, common)?, printer)
        }
        Command::Predict(args) => {
            commands::predict::run(PredictSettings::new(args, common)?, printer)
        }
        Command::Serve(args) => commands::serve::run(ServeSettings::new(args, common)?, printer),
        Command::Completions(args) => commands::completions::completions(args, printer),
        Command::Man(args) => commands::completions::man(args, printer),
        Command::Embed(args) => commands::embed::run(&EmbedSettings::new(args, common)?, printer),
        Command::Export(args) => commands::export::run(ExportSettings::new(args, common)?, printer),
        Command::Sample(args) => {
            commands::sample::run(&SampleSettings::new(args, common)?, printer)
        }
        Command::Data(args) => commands::data::run(args, printer),
        Command::Inspect(args) => commands::inspect::run(args, common, printer),
        Command::Convert(args) => {
            commands::convert::run(ConvertSettings::new(args, common)?, printer)
        }
        Command::Report(args) => commands::report::run(ReportSettings::new(args, common)?, printer),
        Command::Bench(args) => match BenchSettings::new(&args.command, common)? {
            BenchSettings::Table(args) => commands::bench::table(args, printer),
            BenchSettings::Sweep(settings) => commands::bench::run(&settings, arguments, printer),
        },
        Command::Demo(args) => commands::demo::run(&DemoSettings::new(args, common)?, printer),
        Command::World(args) => commands::world::run(args, printer),
    }
}
