//! The output of a command: results on standard output, everything else on standard error.

use std::fmt;
use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// Whether the environment asks for output without control characters (no-color.org).
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

/// Prints the results, notes, warnings and progress of a command according to its options.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    quiet: bool,
    json: bool,
    /// Whether standard error is a terminal.
    terminal: bool,
}

impl Printer {
    /// `quiet`: without notes and progress. `json`: results as JSON.
    pub fn new(quiet: bool, json: bool) -> Self {
        Self {
            quiet,
            json,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Whether results are printed as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: the value as JSON with `--json`, otherwise the text.
    pub fn answer<T: fmt::Display>(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> T,
    ) -> Result<(), Failure> {
        match self.json {
            true => self.json(value),
            false => self.result(&text().to_string()),
        }
    }

    /// Prints a result as text.
    pub fn result(&self, text: &str) -> Result<(), Failure> {
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

    /// Prints a result as one JSON document.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.result(&serde_json::to_string_pretty(value)?)
    }

    /// Prints a line on what the command is doing, except with `--quiet`.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            self.line(message);
        }
    }

    /// Prints a warning, also with `--quiet`.
    pub fn warning(&self, message: &str) {
        self.line(&format!("{} {message}", self.marked("warning:", "33")));
    }

    /// Prints an error.
    pub fn error(&self, message: &str) {
        self.line(&format!("{} {message}", self.marked("error:", "31")));
    }

    /// Prints a line on standard error. A write error is ignored, because it cannot be reported.
    fn line(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Whether results may be marked by control characters: on a terminal, unless NO_COLOR is set.
    pub fn marks_results(&self) -> bool {
        std::io::stdout().is_terminal() && !no_colour()
    }

    fn marked(&self, word: &str, colour: &str) -> String {
        match self.terminal && !no_colour() {
            true => format!("\x1b[1;{colour}m{word}\x1b[0m"),
            false => word.to_string(),
        }
    }

    /// A progress bar on a terminal; otherwise, and with `--quiet`, a hidden one. While it is
    /// shown, lines must be printed through its `suspend`.
    pub fn bar(&self, length: u64, unit: &str) -> ProgressBar {
        self.styled_bar(length, &format!("{{pos}}/{{len}} {unit}"))
    }

    /// A progress bar in per cent, for work without a natural unit.
    pub fn percent_bar(&self, length: u64) -> ProgressBar {
        self.styled_bar(length, "{percent} %")
    }

    fn styled_bar(&self, length: u64, counter: &str) -> ProgressBar {
        if self.quiet || !self.terminal {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let template = format!("{{msg}}[{{bar:32}}] {counter}  {{elapsed}} + {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }
}
