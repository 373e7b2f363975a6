//! A list of images: CSV or TSV with a header, or one JSON object per line.
//!
//! Columns or keys: `path` (relative to the list's folder), `label` (a number or the class name)
//! and, optionally, `class_name` (of a label) and `split` (train, val or test), or other usual names
//! of these. The header shows whether commas, semicolons or tabs separate the columns.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use super::columns::{self, Cells, Columns};
use crate::folders::folder_of;
use crate::labels::Labels;
use crate::{
    DataError, Dataset, Item, Report, UnknownPart, class_names, hash_split, same_names, text,
};

/// The format of a list.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// Columns, usually with this separator; the first line is a header.
    Separated(u8),
    /// One object per line.
    JsonLines,
}

/// One entry of the list.
struct Row {
    line: u64,
    path: String,
    label: String,
    class_name: Option<String>,
    split: Option<String>,
}

/// Reads a list; the items' paths stay relative.
pub(super) fn read(
    file: &Path,
    format: Format,
    names: Option<&Path>,
    report: &mut Report,
) -> Result<Dataset, DataError> {
    let text = text::read(file)?;
    // How spreadsheet programs note the separator; the header shows it, and a blank line is skipped.
    let first = text.lines().next().unwrap_or_default();
    let text = match first.trim().to_ascii_lowercase().strip_prefix("sep=") {
        Some(separator) if separator.len() <= 1 => text.replacen(first, "", 1),
        _ => text,
    };
    let rows = match format {
        Format::Separated(separator) => separated(file, &text, separator)?,
        Format::JsonLines => json_lines(file, &text)?,
    };
    if rows.is_empty() {
        return Err(DataError::EmptyList {
            file: file.to_path_buf(),
        });
    }
    let names = names.map(class_names::all).transpose()?;
    let (labels, class_names) = number(file, &rows, names)?;
    let mut dataset = Dataset {
        class_names,
        ..Dataset::default()
    };
    if rows.iter().all(|row| row.split.is_none()) {
        let mut classes: Vec<Vec<Item>> = vec![Vec::new(); dataset.class_names.len()];
        for (row, label) in rows.iter().zip(labels) {
            if let Some(class) = classes.get_mut(label) {
                class.push(Item::new(&row.path, label));
            }
        }
        classes
            .iter_mut()
            .for_each(|class| class.sort_by(|a, b| a.path.cmp(&b.path)));
        report.note(hash_split::NOTE);
        hash_split::divide(classes, folder_of(file), &mut dataset);
        return Ok(dataset);
    }
    for (row, label) in rows.iter().zip(labels) {
        let split = row.split.as_deref().unwrap_or_default();
        let part = split
            .parse()
            .map_err(|UnknownPart(split)| DataError::Malformed {
                file: file.to_path_buf(),
                line: row.line,
                message: format!("expected the split train, val or test, found {split:?}"),
            })?;
        dataset.part_mut(part).push(Item::new(&row.path, label));
    }
    Ok(dataset)
}

/// Each row's label, and the names of the labels.
///
/// Numbers are named by the file of class names or by `class_name`; names are numbered in the order
/// of that file or, without it, in sorted order.
fn number(
    file: &Path,
    rows: &[Row],
    names: Option<Vec<String>>,
) -> Result<(Vec<usize>, Vec<String>), DataError> {
    let at = |row: &Row| format!("line {}", row.line);
    let numbers: Option<Vec<usize>> = rows.iter().map(|row| row.label.parse().ok()).collect();
    match (numbers, names) {
        (Some(numbers), Some(names)) => {
            for (row, label) in rows.iter().zip(&numbers) {
                if *label >= names.len() {
                    let (file, classes) = (file.to_path_buf(), names.len());
                    let (at, label) = (at(row), *label);
                    return Err(DataError::LabelOutOfRange {
                        file,
                        at,
                        label,
                        classes,
                    });
                }
            }
            Ok((numbers, names))
        }
        (Some(numbers), None) => {
            let mut labels = Labels::as_read(file);
            for (row, label) in rows.iter().zip(&numbers) {
                let Some(name) = &row.class_name else {
                    return Err(DataError::NamelessLabels {
                        file: file.to_path_buf(),
                    });
                };
                labels.add(*label, name, || at(row))?;
            }
            Ok((numbers, labels.finish()?))
        }
        (None, names) => {
            let sorted: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
            let sorted: Vec<String> = sorted.into_iter().map(str::to_string).collect();
            let (keys, names) = match names {
                Some(names) => (names.clone(), names),
                None => (sorted.clone(), names_of_texts(file, rows, sorted)?),
            };
            if let Some((first, second)) = same_names(&names).first().copied() {
                let rows_of = rows.iter().find(|row| Some(&row.label) == keys.get(second));
                let name = |place: usize| names.get(place).cloned().unwrap_or_default();
                return Err(DataError::SameNames {
                    file: file.to_path_buf(),
                    at: rows_of.map_or(String::new(), at),
                    first: name(first),
                    second: name(second),
                });
            }
            let known: HashMap<&str, usize> = keys
                .iter()
                .enumerate()
                .map(|(label, name)| (name.as_str(), label))
                .collect();
            let labels = rows
                .iter()
                .map(|row| {
                    known
                        .get(row.label.as_str())
                        .copied()
                        .ok_or_else(|| DataError::Malformed {
                            file: file.to_path_buf(),
                            line: row.line,
                            message: format!(
                                "the label {:?} is not among the {} class names",
                                row.label,
                                names.len()
                            ),
                        })
                })
                .collect::<Result<_, _>>()?;
            Ok((labels, names))
        }
    }
}

/// The names of labels that are texts: those of `class_name`, or the labels themselves.
fn names_of_texts(
    file: &Path,
    rows: &[Row],
    labels: Vec<String>,
) -> Result<Vec<String>, DataError> {
    let mut names: HashMap<&str, (&str, u64)> = HashMap::new();
    for row in rows {
        let Some(name) = row.class_name.as_deref().filter(|name| !name.is_empty()) else {
            continue;
        };
        let (known, line) = *names.entry(&row.label).or_insert((name, row.line));
        if known != name {
            return Err(DataError::Malformed {
                file: file.to_path_buf(),
                line: row.line,
                message: format!(
                    "the label {:?} is called {name:?} here but {known:?} on line {line}",
                    row.label
                ),
            });
        }
    }
    let name = |label: String| {
        let named = names.get(label.as_str()).map(|(name, _)| name.to_string());
        named.unwrap_or(label)
    };
    Ok(labels.into_iter().map(name).collect())
}

/// The separators of a list's columns, and what they are called.
const SEPARATORS: [(u8, &str); 3] = [(b',', "commas"), (b';', "semicolons"), (b'\t', "tabs")];

/// The separator of a list's columns, which its header shows; `usual` where it does not.
fn separator(file: &Path, text: &str, usual: u8) -> Result<u8, DataError> {
    let header = |separator: u8| -> Vec<String> {
        let header = reader(text, separator).headers().cloned();
        let fields = header.unwrap_or_default();
        fields.iter().map(str::to_string).collect()
    };
    let fitting: Vec<(u8, &str)> = SEPARATORS
        .into_iter()
        .filter(|(separator, _)| columns::is_header(&header(*separator)))
        .collect();
    match fitting.as_slice() {
        [(one, _)] => Ok(*one),
        [(_, first), (_, second), ..] => Err(DataError::Malformed {
            file: file.to_path_buf(),
            line: 1,
            message: format!(
                "the columns of the header may be separated by {first} or by {second}; use one of \
                 them only"
            ),
        }),
        // No header: the error says what was found, so it should be cut where it can be.
        [] => {
            let usual_first = SEPARATORS.iter().filter(|(own, _)| *own == usual);
            let others = SEPARATORS.iter().filter(|(own, _)| *own != usual);
            let mut best = (0, usual);
            for (separator, _) in usual_first.chain(others) {
                let count = header(*separator).len();
                if count > best.0 {
                    best = (count, *separator);
                }
            }
            Ok(best.1)
        }
    }
}

fn reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

fn separated(file: &Path, text: &str, usual: u8) -> Result<Vec<Row>, DataError> {
    let malformed = |e: csv::Error| DataError::Malformed {
        file: file.to_path_buf(),
        line: e.position().map_or(0, csv::Position::line),
        message: e.to_string(),
    };
    let mut reader = reader(text, separator(file, text, usual)?);
    let header: Vec<String> = reader
        .headers()
        .map_err(malformed)?
        .iter()
        .map(str::to_string)
        .collect();
    if header.iter().all(String::is_empty) {
        return Err(DataError::EmptyList {
            file: file.to_path_buf(),
        });
    }
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        cells.push(Cells {
            line: record.position().map_or(0, csv::Position::line),
            values: record.iter().map(|cell| Some(cell.to_string())).collect(),
        });
    }
    rows(file, &header, cells)
}

fn json_lines(file: &Path, text: &str) -> Result<Vec<Row>, DataError> {
    let mut header: Vec<String> = Vec::new();
    let mut cells = Vec::new();
    for (line, text) in (1_u64..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let malformed = |message: String| DataError::Malformed {
            file: file.to_path_buf(),
            line,
            message,
        };
        promptsrc_files::bounded_json(text.as_bytes()).map_err(|e| malformed(e.to_string()))?;
        let value: Value =
            serde_json::from_str(text).map_err(|e| malformed(format!("is not JSON: {e}")))?;
        let Value::Object(object) = value else {
            return Err(malformed(
                "expected an object with the keys \"path\" and \"label\"".to_string(),
            ));
        };
        let mut values = vec![None; header.len()];
        for (key, value) in object {
            let column = header.iter().position(|name| *name == key);
            let column = column.unwrap_or_else(|| {
                header.push(key.clone());
                header.len() - 1
            });
            values.resize(header.len(), None);
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.trim().to_string()),
                Value::Number(number) => Some(number.to_string()),
                other if columns::is_known(&key) => {
                    return Err(malformed(format!(
                        "expected text or a number as {key:?}, found {other}"
                    )));
                }
                _ => None,
            };
            if let Some(cell) = values.get_mut(column) {
                *cell = text;
            }
        }
        cells.push(Cells { line, values });
    }
    if cells.is_empty() {
        return Ok(Vec::new());
    }
    let line = cells.first().map_or(1, |first| first.line);
    rows(file, &header, cells).map_err(|error| match error {
        DataError::MissingColumn { file, column, .. } => DataError::Malformed {
            file,
            line,
            message: format!(
                "expected an object with the keys \"path\" and \"label\", found no {column:?}"
            ),
        },
        error => error,
    })
}

/// The entries of a list, from the columns that are meant.
fn rows(file: &Path, header: &[String], cells: Vec<Cells>) -> Result<Vec<Row>, DataError> {
    let columns = Columns::find(file, header, &cells)?;
    let row = |cells: Cells| {
        let Cells { line, mut values } = cells;
        let mut take = |column: usize| values.get_mut(column).and_then(Option::take);
        let needed = |cell: Option<String>, column: usize| {
            cell.ok_or_else(|| {
                let name = header.get(column).map_or("", String::as_str);
                DataError::Malformed {
                    file: file.to_path_buf(),
                    line,
                    message: format!("has no {name:?}"),
                }
            })
        };
        let row = Row {
            line,
            path: needed(take(columns.path), columns.path)?,
            label: needed(take(columns.label), columns.label)?,
            class_name: columns.class_name.and_then(&mut take),
            split: columns.split.and_then(&mut take),
        };
        checked(file, row)
    };
    cells.into_iter().map(row).collect()
}

/// The row, if its path and label are not empty.
fn checked(file: &Path, row: Row) -> Result<Row, DataError> {
    let what = match (row.path.is_empty(), row.label.is_empty()) {
        (true, _) => "path",
        (false, true) => "label",
        (false, false) => return Ok(row),
    };
    let message = format!("its {what} is empty");
    Err(DataError::Malformed {
        file: file.to_path_buf(),
        line: row.line,
        message,
    })
}
