//! A list of images: CSV or TSV with a header, or one JSON object per line.
//!
//! Columns or keys: `path` (relative to the list's folder), `label` (a number or the class name)
//! and, optionally, `class_name` (of a number) and `split` (train, val or test).

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use crate::folders::folder_of;
use crate::labels::Labels;
use crate::{
    DataError, Dataset, Item, Report, UnknownPart, class_names, hash_split, same_names, text,
};

/// The format of a list.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// Columns with this separator; the first line is a header.
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
            let names = names.unwrap_or_else(|| {
                let sorted: BTreeSet<&str> = rows.iter().map(|row| row.label.as_str()).collect();
                sorted.into_iter().map(str::to_string).collect()
            });
            if let Some((first, second)) = same_names(&names).first().copied() {
                let rows_of = rows
                    .iter()
                    .find(|row| Some(&row.label) == names.get(second));
                let name = |place: usize| names.get(place).cloned().unwrap_or_default();
                return Err(DataError::SameNames {
                    file: file.to_path_buf(),
                    at: rows_of.map_or(String::new(), at),
                    first: name(first),
                    second: name(second),
                });
            }
            let known: HashMap<&str, usize> = names
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

fn separated(file: &Path, text: &str, separator: u8) -> Result<Vec<Row>, DataError> {
    let malformed = |e: csv::Error| DataError::Malformed {
        file: file.to_path_buf(),
        line: e.position().map_or(0, csv::Position::line),
        message: e.to_string(),
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header: Vec<String> = reader
        .headers()
        .map_err(malformed)?
        .iter()
        .map(str::to_ascii_lowercase)
        .collect();
    if header.iter().all(String::is_empty) {
        return Err(DataError::EmptyList {
            file: file.to_path_buf(),
        });
    }
    let place = |column: &str| header.iter().position(|name| name == column);
    let needed = |column: &'static str| {
        place(column).ok_or_else(|| DataError::MissingColumn {
            file: file.to_path_buf(),
            column,
            found: header.clone(),
        })
    };
    let (path, label) = (needed("path")?, needed("label")?);
    let (class_name, split) = (place("class_name"), place("split"));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |place: usize| record.get(place).unwrap_or_default().to_string();
        let row = Row {
            line,
            path: field(path),
            label: field(label),
            class_name: class_name.map(field),
            split: split.map(field),
        };
        rows.push(checked(file, row)?);
    }
    Ok(rows)
}

fn json_lines(file: &Path, text: &str) -> Result<Vec<Row>, DataError> {
    let mut rows = Vec::new();
    for (line, text) in (1_u64..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let malformed = |message: String| DataError::Malformed {
            file: file.to_path_buf(),
            line,
            message,
        };
        let value: Value =
            serde_json::from_str(text).map_err(|e| malformed(format!("is not JSON: {e}")))?;
        let optional = |key: &str| match value.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_string())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(malformed(format!(
                "expected text or a number as {key:?}, found {other}"
            ))),
        };
        let needed = |key: &str| {
            optional(key)?.ok_or_else(|| {
                malformed(format!(
                    "expected an object with the keys \"path\" and \"label\", found no {key:?}"
                ))
            })
        };
        let row = Row {
            line,
            path: needed("path")?,
            label: needed("label")?,
            class_name: optional("class_name")?,
            split: optional("split")?,
        };
        rows.push(checked(file, row)?);
    }
    Ok(rows)
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
