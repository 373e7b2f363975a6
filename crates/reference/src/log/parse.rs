//! Parses the text of a log.

use std::collections::BTreeMap;

use super::result::{ReferenceResult, subset};

/// Parses a log; `None` where it has neither a configuration nor a result.
pub fn parse(bytes: &[u8]) -> Option<ReferenceResult> {
    let mut found = ReferenceResult::default();
    let mut section = Section::Other;
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut tests = true;
    let mut block = Block::default();
    let mut is_log = false;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        match line {
            "** Arguments **" => section = Section::Arguments,
            "** Config **" => {
                (section, is_log) = (Section::Config, true);
                above.clear();
            }
            "=> result" => {
                (section, is_log) = (Section::Result, true);
                if tests {
                    block = Block::default();
                }
            }
            _ if line.starts_with("=>") || line.starts_with("Collecting env info") => {
                section = Section::Other;
            }
            // The validation set only serves to choose the best epoch; it is not a result.
            _ if line.starts_with("Evaluate on the *") => {
                tests = line.starts_with("Evaluate on the *test*");
                section = Section::Other;
            }
            _ => match section {
                Section::Arguments => {
                    if let Some((name, value)) = line.split_once(": ") {
                        argument(name, value, &mut found);
                    }
                }
                Section::Config => setting(line, &mut above, &mut found.settings),
                Section::Result if tests => block.line(line),
                Section::Result | Section::Other => {}
            },
        }
    }
    block.into_result(&mut found);
    interpret(&mut found);
    is_log.then_some(found)
}

/// One line of the printed arguments.
fn argument(name: &str, value: &str, found: &mut ReferenceResult) {
    let value = value.trim();
    let text = || (!matches!(value, "" | "None")).then(|| value.to_string());
    match name {
        "eval_only" => found.eval_only = python_bool(value),
        "model_dir" => found.model_dir = text(),
        "output_dir" => found.output_dir = text(),
        "config_file" => found.config_file = text(),
        "load_epoch" => found.load_epoch = value.parse().ok(),
        _ => {}
    }
}

#[derive(Clone, Copy)]
enum Section {
    Arguments,
    Config,
    Result,
    Other,
}

/// One result block, which may be incomplete.
#[derive(Default)]
struct Block {
    total: Option<u64>,
    correct: Option<u64>,
    accuracy: Option<f64>,
    macro_f1: Option<f64>,
}

impl Block {
    fn line(&mut self, line: &str) {
        let Some((name, value)) = line.strip_prefix("* ").and_then(|l| l.split_once(": ")) else {
            return;
        };
        match name {
            "total" => self.total = count(value),
            "correct" => self.correct = count(value),
            "accuracy" => self.accuracy = percent(value),
            "macro_f1" => self.macro_f1 = percent(value),
            _ => {}
        }
    }

    fn into_result(self, found: &mut ReferenceResult) {
        // Nothing marks the end of a count, so the last one may be truncated.
        let counts = self.accuracy.map(|_| (self.total, self.correct));
        let (total, correct) = counts.unwrap_or_default();
        found.total = total;
        found.correct = correct.filter(|c| total.is_none_or(|t| *c <= t));
        found.accuracy = self.accuracy;
        found.macro_f1 = self.macro_f1;
        // The last line of a block: those before it are complete.
        found.finished = self.accuracy.is_some() && self.macro_f1.is_some();
    }
}

/// A count with commas as thousands separators.
fn count(text: &str) -> Option<u64> {
    text.trim().replace(',', "").parse().ok()
}

/// `92.9%`; without the sign it is truncated.
fn percent(text: &str) -> Option<f64> {
    let value: f64 = text.trim().strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&value).then_some(value)
}

fn python_bool(text: &str) -> Option<bool> {
    match text.trim() {
        "True" => Some(true),
        "False" => Some(false),
        _ => None,
    }
}

/// One line of a printed `CfgNode`: `  NAME: value`, or `NAME:` before lines that are indented
/// more.
fn setting(line: &str, above: &mut Vec<(usize, String)>, settings: &mut BTreeMap<String, String>) {
    let text = line.trim_start();
    let Some((name, value)) = text.split_once(':') else {
        return;
    };
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return;
    }
    let indent = line.len() - text.len();
    while above.last().is_some_and(|(depth, _)| *depth >= indent) {
        above.pop();
    }
    let mut dotted = String::new();
    for (_, part) in above.iter() {
        dotted.push_str(part);
        dotted.push('.');
    }
    dotted.push_str(name);
    settings.insert(dotted, value.trim().to_string());
    // No configuration has more levels than this.
    const DEEPEST: usize = 16;
    if above.len() < DEEPEST {
        above.push((indent, name.to_string()));
    }
}

fn interpret(found: &mut ReferenceResult) {
    let text = |name: &str| found.settings.get(name).filter(|v| !v.is_empty()).cloned();
    let dataset = text("DATASET.NAME");
    let trainer = text("TRAINER.NAME");
    // Both are -1 where they are not set.
    let (seed, shots) = (found.setting("SEED"), found.setting("DATASET.NUM_SHOTS"));
    let subset = text("DATASET.SUBSAMPLE_CLASSES").and_then(|s| subset(&s));
    (found.dataset, found.trainer) = (dataset, trainer);
    (found.seed, found.shots, found.subset) = (seed, shots.filter(|k| *k > 0), subset);
}
