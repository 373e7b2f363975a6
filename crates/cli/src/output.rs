//! What a person or a program reads: results on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// Writes a result to standard output.
pub fn result(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut write = || {
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    write().map_err(|e| match e.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::failed(format!("cannot write to standard output: {e}")),
    })
}

/// Writes a result as one JSON document.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    result(&serde_json::to_string_pretty(value)?)
}

/// A line on standard error. If that is closed too there is nobody to tell.
pub fn note(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}

/// A warning on standard error.
pub fn warning(message: &str) {
    note(&format!("{} {message}", marked("warning:", "33")));
}

/// An error on standard error.
pub fn error(message: &str) {
    note(&format!("{} {message}", marked("error:", "31")));
}

fn marked(word: &str, colour: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    if std::io::stderr().is_terminal() && !plain {
        format!("\x1b[1;{colour}m{word}\x1b[0m")
    } else {
        word.to_string()
    }
}

/// A progress bar on a terminal; elsewhere, and with `--quiet`, nothing.
pub fn bar(length: u64, unit: &str, quiet: bool) -> ProgressBar {
    styled(length, &format!("{{pos}}/{{len}} {unit}"), quiet)
}

/// A progress bar of work that has no natural unit.
pub fn percent_bar(length: u64, quiet: bool) -> ProgressBar {
    styled(length, "{percent} %", quiet)
}

fn styled(length: u64, counter: &str, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template = format!("{{msg}}[{{bar:32}}] {counter}  {{elapsed}} + {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
