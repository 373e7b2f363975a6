//! The output of a command: results on standard output, everything else on standard error.

use std::borrow::Cow;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;
use crate::host::Answer;

/// Whether the environment asks for output without control characters (no-color.org).
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

fn locked(answer: &Mutex<Answer>) -> MutexGuard<'_, Answer> {
    answer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How results are marked on a terminal.
const MARKS: [&str; 2] = ["\x1b[1m", "\x1b[0m"];

/// A text as it can be shown: control characters are escaped, but for the ends of lines, tabs and the
/// `marks`.
fn shown<'t>(text: &'t str, marks: &[&str]) -> Cow<'t, str> {
    let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mark = marks.iter().find(|mark| rest.starts_with(**mark));
        let (taken, is_plain) = match mark {
            Some(mark) => (mark.len(), true),
            None => (c.len_utf8(), !is_bad(c)),
        };
        let (part, after) = rest.split_at(taken);
        match is_plain {
            true => out += part,
            false => out.extend(part.chars().flat_map(char::escape_default)),
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// Prints the results, notes, warnings and progress of a command according to its options.
#[derive(Clone, Debug)]
pub struct Printer {
    quiet: bool,
    json: bool,
    /// Whether standard error is a terminal.
    terminal: bool,
    /// Collects the output for a program that has called the command.
    collected: Option<Arc<Mutex<Answer>>>,
}

impl Printer {
    /// As the options say.
    pub fn new(common: &Common) -> Self {
        Self {
            quiet: common.quiet,
            json: common.json,
            terminal: std::io::stderr().is_terminal(),
            collected: common.host.as_ref().map(|_| Arc::default()),
        }
    }

    /// Whether a program has called the command, which is no process of its own then.
    pub fn is_hosted(&self) -> bool {
        self.collected.is_some()
    }

    /// What was collected.
    pub fn answered(&self) -> Answer {
        let collected = self.collected.as_deref().map(locked);
        collected.map(|answer| answer.clone()).unwrap_or_default()
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

    /// Prints a result as text. Characters that would move the cursor or worse, which names may contain,
    /// are escaped; the marks of [`marks_results`](Self::marks_results) are not.
    pub fn result(&self, text: &str) -> Result<(), Failure> {
        match self.marks_results() {
            true => self.raw(&shown(text, &MARKS)),
            false => self.raw(&shown(text, &[])),
        }
    }

    /// Prints a result as it is: what a program reads.
    pub fn raw(&self, text: &str) -> Result<(), Failure> {
        if let Some(collected) = &self.collected {
            locked(collected).result += text;
            return Ok(());
        }
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
        self.raw(&serde_json::to_string_pretty(value)?)
    }

    /// Prints a line on what the command is doing, except with `--quiet`.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            self.line(&shown(message, &[]));
        }
    }

    /// Prints a warning, also with `--quiet`.
    pub fn warning(&self, message: &str) {
        if let Some(collected) = &self.collected {
            return locked(collected).warnings.push(message.to_string());
        }
        let word = self.marked("warning:", "33");
        self.line(&format!("{word} {}", shown(message, &[])));
    }

    /// Prints an error.
    pub fn error(&self, message: &str) {
        if let Some(collected) = &self.collected {
            return locked(collected).warnings.push(message.to_string());
        }
        let word = self.marked("error:", "31");
        self.line(&format!("{word} {}", shown(message, &[])));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(shown("a\tb\nc é", &[]), "a\tb\nc é");
        assert_eq!(
            shown("\x1b[2Jcat\u{9b}1m\r", &[]),
            "\\u{1b}[2Jcat\\u{9b}1m\\r"
        );
        let bold = "\x1b[1m80\x1b[0m \x1b[31mcat";
        assert_eq!(shown(bold, &MARKS), "\x1b[1m80\x1b[0m \\u{1b}[31mcat");
    }
}
