//! `promptsrc completions` and `promptsrc man`: the command as shells and `man` know it.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use serde::Serialize;

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::failure::Failure;
use crate::output::Printer;

const NAME: &str = "promptsrc";

/// Prints the script of a shell.
pub fn completions(args: &CompletionsArgs, printer: &Printer) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    printer.raw(&String::from_utf8_lossy(&script))
}

#[derive(Serialize)]
struct Pages {
    out: String,
    pages: Vec<String>,
}

/// Writes a page for each command.
pub fn man(args: &ManArgs, printer: &Printer) -> Result<(), Failure> {
    let out = &args.out;
    let failed =
        |path: &Path, e: std::io::Error| Failure::failed(format!("--out {}: {e}", path.display()));
    std::fs::create_dir_all(out).map_err(|e| failed(out, e))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    for (name, page) in pages_of(&command, NAME).map_err(|e| failed(out, e))? {
        let path: PathBuf = out.join(&name);
        std::fs::write(&path, page).map_err(|e| failed(&path, e))?;
        pages.push(name);
    }
    let written = Pages {
        out: out.display().to_string(),
        pages,
    };
    printer.answer(&written, || {
        format!("{}: {} pages", written.out, written.pages.len())
    })
}

/// File name and text of the pages of a command and all commands below it.
fn pages_of(command: &Command, name: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut page = Vec::new();
    let named = command.clone().display_name(name);
    clap_mangen::Man::new(named).render(&mut page)?;
    let mut pages = vec![(format!("{name}.1"), page)];
    let below = command.get_subcommands();
    for command in below.filter(|command| !command.is_hide_set()) {
        pages.extend(pages_of(
            command,
            &format!("{name}-{}", command.get_name()),
        )?);
    }
    Ok(pages)
}
