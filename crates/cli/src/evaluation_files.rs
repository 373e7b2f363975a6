//! The files of `eval --report-dir`: the tables of an evaluation as text and as CSV, and its result as
//! JSON.

use std::path::{Path, PathBuf};

use promptsrc::Evaluation;
use promptsrc::calibration::LabelledLogits;
use serde::Serialize;

use crate::failure::Failure;

const CONFUSION: &str = "confusion.csv";
const PER_CLASS: &str = "per_class.csv";
const PREDICTIONS: &str = "predictions.csv";
const RESULT: &str = "result.json";
const TEXT: &str = "report.txt";
/// Classes of the largest confusion matrix that is shown as text.
const SHOWN: usize = 50;

/// The most probable class of an image.
pub struct Predicted {
    pub path: PathBuf,
    pub label: usize,
    pub answer: usize,
    pub probability: f32,
}

/// Fails if a file exists that would be replaced.
pub fn check(folder: &Path, force: bool) -> Result<(), Failure> {
    let there = [CONFUSION, PER_CLASS, PREDICTIONS, RESULT, TEXT]
        .map(|name| folder.join(name))
        .into_iter()
        .find(|file| !force && file.exists());
    match there {
        Some(file) => Err(Failure::failed(format!(
            "{} already exists: give --force to replace it, or choose another folder",
            file.display()
        ))),
        None => Ok(()),
    }
}

/// Writes the files. `trust`: how far the probabilities can be trusted, as text.
pub fn write(
    folder: &Path,
    evaluation: &Evaluation,
    trust: &str,
    predictions: &[Predicted],
    result: &impl Serialize,
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|e| Failure::failed(format!("--report-dir {}: {e}", folder.display())))?;
    let text = format!("{}\n{trust}", text(evaluation));
    save(&folder.join(TEXT), text.as_bytes())?;
    table(&folder.join(CONFUSION), &confusion(evaluation))?;
    table(&folder.join(PER_CLASS), &per_class(evaluation))?;
    table(&folder.join(PREDICTIONS), &answers(evaluation, predictions))?;
    let json = serde_json::to_string_pretty(result)? + "\n";
    save(&folder.join(RESULT), json.as_bytes())
}

/// Writes the logits of images as CSV: image, true class, a column per class.
pub fn write_logits<'p>(
    file: &Path,
    names: &[String],
    paths: impl Iterator<Item = &'p Path>,
    logits: &LabelledLogits,
) -> Result<(), Failure> {
    let head = ["image", "true class"].map(String::from).into_iter();
    let mut rows = vec![head.chain(names.iter().cloned()).collect::<Vec<_>>()];
    for (path, (label, row)) in paths.zip(logits.rows()) {
        let name = names.get(label).cloned().unwrap_or_default();
        let start = [path.display().to_string(), name];
        rows.push(
            start
                .into_iter()
                .chain(row.iter().map(f32::to_string))
                .collect(),
        );
    }
    table(file, &rows)
}

/// Summary, table of the classes, and the confusion matrix, or its greatest counts where it is large.
fn text(evaluation: &Evaluation) -> String {
    let mut text = format!("{evaluation:#}\n\n");
    let classes = &evaluation.per_class;
    let matrix = &evaluation.confusion_matrix;
    let name = |class: usize| classes.get(class).map_or("", |class| class.name.as_str());
    if classes.len() <= SHOWN {
        text += "confusion matrix (rows: true classes, columns: predicted ones)\n\n";
        let counts = matrix.iter().flatten();
        let digits = counts
            .map(|count| count.to_string().len())
            .max()
            .unwrap_or(1);
        let digits = digits.max(classes.len().to_string().len());
        let width = classes
            .iter()
            .map(|class| class.name.chars().count())
            .max()
            .unwrap_or(0);
        text += &" ".repeat(width + 1 + digits);
        for column in 1..=classes.len() {
            text += &format!("  {column:>digits$}");
        }
        text.push('\n');
        for (row, counts) in matrix.iter().enumerate() {
            text += &format!("{:width$} {:>digits$}", name(row), row + 1);
            for count in counts {
                text += &format!("  {count:>digits$}");
            }
            text.push('\n');
        }
        return text;
    }
    text +=
        &format!("the {SHOWN} most frequent confusions (count, true class, predicted class)\n\n");
    let mut confusions: Vec<(u64, usize, usize)> = Vec::new();
    for (row, counts) in matrix.iter().enumerate() {
        let wrong = counts
            .iter()
            .enumerate()
            .filter(|(column, n)| *column != row && **n > 0);
        confusions.extend(wrong.map(|(column, count)| (*count, row, column)));
    }
    confusions.sort_by_key(|(count, row, column)| (std::cmp::Reverse(*count), *row, *column));
    for (count, row, column) in confusions.into_iter().take(SHOWN) {
        text += &format!("{count:>6}  {}  ->  {}\n", name(row), name(column));
    }
    text
}

/// Rows are true classes, columns predicted ones.
fn confusion(evaluation: &Evaluation) -> Vec<Vec<String>> {
    let names = evaluation.per_class.iter().map(|class| class.name.clone());
    let corner = "true class \\ predicted class".to_string();
    let mut rows = vec![std::iter::once(corner).chain(names.clone()).collect()];
    for (name, counts) in names.zip(&evaluation.confusion_matrix) {
        let counts = counts.iter().map(u64::to_string);
        rows.push(std::iter::once(name).chain(counts).collect());
    }
    rows
}

/// Ratios whose denominator is 0 are 0, as scikit-learn has them.
fn per_class(evaluation: &Evaluation) -> Vec<Vec<String>> {
    let head = [
        "class",
        "precision",
        "recall",
        "f1",
        "images",
        "correct",
        "predicted",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    for (place, class) in evaluation.per_class.iter().enumerate() {
        let column = evaluation.confusion_matrix.iter();
        let predicted: u64 = column.filter_map(|row| row.get(place)).sum();
        let ratio = |part: u64, whole: u64| match whole {
            0 => 0.0,
            _ => part as f64 / whole as f64,
        };
        let (images, correct) = (class.total, class.correct);
        rows.push(vec![
            class.name.clone(),
            ratio(correct, predicted).to_string(),
            ratio(correct, images).to_string(),
            ratio(2 * correct, images + predicted).to_string(),
            images.to_string(),
            correct.to_string(),
            predicted.to_string(),
        ]);
    }
    rows
}

fn answers(evaluation: &Evaluation, predictions: &[Predicted]) -> Vec<Vec<String>> {
    let head = ["image", "true class", "predicted class", "probability"];
    let mut rows = vec![head.map(String::from).to_vec()];
    let name = |class: usize| {
        let class = evaluation.per_class.get(class);
        class.map(|class| class.name.clone()).unwrap_or_default()
    };
    rows.extend(predictions.iter().map(|predicted| {
        vec![
            predicted.path.display().to_string(),
            name(predicted.label),
            name(predicted.answer),
            predicted.probability.to_string(),
        ]
    }));
    rows
}

fn table(path: &Path, rows: &[Vec<String>]) -> Result<(), Failure> {
    let problem = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", path.display()));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).map_err(|e| problem(&e))?;
    }
    save(path, &writer.into_inner().map_err(|e| problem(&e))?)
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(promptsrc_files::write_atomically(path, bytes)?)
}
