//! What a run of the Python reference says in its `log.txt`: its configuration and its last result.
//!
//! A log begins with the configuration that Dassl prints and ends, where the run went to its end,
//! with a block like
//!
//! ```text
//! => result
//! * total: 4,200
//! * correct: 3,902
//! * accuracy: 92.9%
//! * error: 7.1%
//! * macro_f1: 92.8%
//! ```
//!
//! (`dassl/evaluation/evaluator.py`; published logs have one decimal, later versions two.) What the
//! log does not say is taken from where it lies, as the reference's scripts name their folders.

mod place;
mod walk;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use promptsrc_datasets::Classes;

use promptsrc::config::Method;

pub use walk::{ReferenceRuns, find, read_below};

/// Largest log that is read; a run of fifty epochs on ImageNet prints a few megabytes.
const MOST_BYTES: u64 = 256 << 20;

/// What is known of one run of the reference. None: neither the log nor its path says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceResult {
    /// The data set that was tested, by the name of its class in the reference: `EuroSAT`,
    /// `DescribableTextures`. One that the reference does not have goes by its own name.
    pub dataset: Option<String>,
    /// The trainer, by the reference's name: `PromptSRC`, `IVLP`, `CoOp`, `ZeroshotCLIP`.
    pub trainer: Option<String>,
    /// Seed of the run.
    pub seed: Option<u64>,
    /// Training images a class.
    pub shots: Option<usize>,
    /// Which classes were told apart.
    pub subset: Option<Classes>,
    /// Whether the run only tested what another had trained.
    pub eval_only: Option<bool>,
    /// Accuracy in percent, as printed: rounded to one or two decimals.
    pub accuracy: Option<f64>,
    /// Macro F1 in percent, as printed.
    pub macro_f1: Option<f64>,
    /// Images that were tested.
    pub total: Option<u64>,
    /// Those that were told rightly.
    pub correct: Option<u64>,
    /// Whether the run came to its end: its last result is whole.
    pub finished: bool,
    /// The whole configuration, by dotted name (`TRAINER.PROMPTSRC.GPA_MEAN`), as printed.
    pub settings: BTreeMap<String, String>,
}

/// A log that gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceLogError {
    /// The file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Far larger than any log.
    #[error("{} is larger than {limit} bytes: no log of the reference", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest log that is read.
        limit: u64,
    },
    /// Neither a configuration nor a result.
    #[error(
        "{} is no log of the reference: it holds neither \"** Config **\" nor \"=> result\"",
        path.display()
    )]
    NoLog {
        /// The file.
        path: PathBuf,
    },
}

impl ReferenceResult {
    /// The method, where this program has it too.
    pub fn method(&self) -> Option<Method> {
        self.trainer.as_ref()?.to_lowercase().parse().ok()
    }

    /// Accuracy in percent from the counts, without the rounding of the printed one; the printed one
    /// where the counts are not known.
    pub fn exact_accuracy(&self) -> Option<f64> {
        match (self.correct, self.total) {
            (Some(correct), Some(total)) if total > 0 => {
                Some(100.0 * correct as f64 / total as f64)
            }
            _ => self.accuracy,
        }
    }

    /// A setting of the configuration that reads as a `T`.
    pub fn setting<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.settings.get(name)?.parse().ok()
    }
}

/// Reads a log; what it does not say is taken from its path. The last result of the test images
/// counts. Bytes that are no text and lines that mean nothing are passed over.
///
/// # Errors
///
/// Where the file cannot be read or is no log of the reference.
pub fn read(path: &Path) -> Result<ReferenceResult, ReferenceLogError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| ReferenceLogError::Read {
            path: path.into(),
            source,
        })?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ReferenceLogError::TooLarge {
            path: path.into(),
            limit: MOST_BYTES,
        });
    }
    let mut found = parse(&bytes).ok_or_else(|| ReferenceLogError::NoLog { path: path.into() })?;
    place::complete(&mut found, path);
    Ok(found)
}

/// What the bytes of a log say; none where they hold neither a configuration nor a result.
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
            // Of the last validation set the best epoch is chosen; it is no result.
            _ if line.starts_with("Evaluate on the *") => {
                tests = line.starts_with("Evaluate on the *test*");
                section = Section::Other;
            }
            _ => match section {
                Section::Arguments => {
                    if let Some(value) = line.strip_prefix("eval_only: ") {
                        found.eval_only = python_bool(value);
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

#[derive(Clone, Copy)]
enum Section {
    Arguments,
    Config,
    Result,
    Other,
}

/// One block of a result, as far as it goes.
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
        // A count has no sign at its end: one that nothing follows may be cut off.
        let counts = self.accuracy.map(|_| (self.total, self.correct));
        let (total, correct) = counts.unwrap_or_default();
        found.total = total;
        found.correct = correct.filter(|c| total.is_none_or(|t| *c <= t));
        found.accuracy = self.accuracy;
        found.macro_f1 = self.macro_f1;
        // The last line of a block: what stands before it is whole.
        found.finished = self.accuracy.is_some() && self.macro_f1.is_some();
    }
}

/// A count with commas between its thousands.
fn count(text: &str) -> Option<u64> {
    text.trim().replace(',', "").parse().ok()
}

/// `92.9%`; without its sign it is cut off.
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

/// One line of a printed `CfgNode`: `  NAME: value`, or `NAME:` with deeper lines to follow.
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
    // More levels than any configuration has are none.
    const DEEPEST: usize = 16;
    if above.len() < DEEPEST {
        above.push((indent, name.to_string()));
    }
}

fn interpret(found: &mut ReferenceResult) {
    let text = |name: &str| found.settings.get(name).filter(|v| !v.is_empty()).cloned();
    let dataset = text("DATASET.NAME");
    let trainer = text("TRAINER.NAME");
    // Both are -1 where nothing was set.
    let (seed, shots) = (found.setting("SEED"), found.setting("DATASET.NUM_SHOTS"));
    let subset = text("DATASET.SUBSAMPLE_CLASSES").and_then(|s| subset(&s));
    (found.dataset, found.trainer) = (dataset, trainer);
    (found.seed, found.shots, found.subset) = (seed, shots.filter(|k| *k > 0), subset);
}

fn subset(name: &str) -> Option<Classes> {
    match name {
        "all" => Some(Classes::All),
        "base" => Some(Classes::Base),
        "new" => Some(Classes::Novel),
        _ => None,
    }
}
