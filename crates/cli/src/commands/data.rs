//! `promptsrc data`: the paper's data sets.

mod check;

use crate::args::{DataSetsArgs, DataSetsCommand};
use crate::failure::Failure;
use crate::output::Printer;

pub fn run(args: &DataSetsArgs, printer: &Printer) -> Result<(), Failure> {
    match &args.command {
        DataSetsCommand::Check(args) => check::run(args, printer),
    }
}
