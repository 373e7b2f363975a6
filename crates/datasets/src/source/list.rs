//! A list of images: CSV or TSV with a header, or one JSON object per line.
//!
//! Columns or keys: `path` (relative to the list's folder), `label` (a number or the class name)
//! and, optionally, `class_name` (of a label) and `split` (train, val or test), or other usual names
//! of these. The header shows whether commas, semicolons or tabs separate the columns.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde_json::{Map, Value};

use super::columns::{self, Cells, Columns};
use crate::folders::folder_of;
use crate::labels::Labels;
use crate::{
    DataError, Dataset, Item, Part, Report, UnknownPart, class_names, hash_split, same_names, text,
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
struct Row<'a> {
    line: u64,
    path: &'a str,
    label: &'a str,
    class_name: Option<&'a str>,
    split: Option<&'a str>,
}

/// Reads a list; the items' paths stay relative.
///
/// Only the text and the items are kept: of millions of short rows, anything else that each of them had
/// would take many times the file. So the text is parsed again for each question about all rows.
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
    let list = match format {
        Format::Separated(separator) => List::separated(file, &text, separator)?,
        Format::JsonLines => List::json_lines(file, &text)?,
    };
    let names = names.map(class_names::all).transpose()?;
    let (labels, class_names) = number(&list, names)?;
    let (parts, divided) = parts(&list)?;
    let mut dataset = Dataset {
        class_names,
        ..Dataset::default()
    };
    for part in Part::ALL {
        let count = parts.iter().filter(|own| **own == part).count();
        dataset.part_mut(part).reserve_exact(count);
    }
    let mut places = parts.into_iter().zip(labels);
    list.each(&mut |row| {
        if let Some((part, label)) = places.next() {
            dataset.part_mut(part).push(Item::new(row.path, label));
        }
        Ok(())
    })?;
    if divided {
        report.note(hash_split::NOTE);
        dataset.is_divided = true;
        for part in Part::ALL {
            let items = dataset.part_mut(part);
            items.sort_unstable_by(|a, b| (a.label, &a.path).cmp(&(b.label, &b.path)));
        }
    }
    Ok(dataset)
}

/// The part of each row: the one that it names or, where no row names any, by the hash of its path, which
/// is told.
fn parts(list: &List) -> Result<(Vec<Part>, bool), DataError> {
    let mut divided = true;
    list.each(&mut |row| {
        divided &= row.split.is_none();
        Ok(())
    })?;
    let root = folder_of(list.file);
    let mut parts = Vec::new();
    list.each(&mut |row| {
        let named = match divided {
            true => Ok(hash_split::part_of(row.path.as_ref(), root)),
            false => row.split.unwrap_or_default().parse(),
        };
        let part = named.map_err(|UnknownPart(split)| DataError::Malformed {
            file: list.file.to_path_buf(),
            line: row.line,
            message: format!("expected the split train, val or test, found {split:?}"),
        })?;
        parts.push(part);
        Ok(())
    })?;
    Ok((parts, divided))
}

/// Each row's label, and the names of the labels.
///
/// Numbers are named by the file of class names or by `class_name`; names are numbered in the order
/// of that file or, without it, in sorted order.
fn number(list: &List, names: Option<Vec<String>>) -> Result<(Vec<usize>, Vec<String>), DataError> {
    let file = list.file;
    let at = |line: u64| format!("line {line}");
    let mut numbers = Some(Vec::new());
    list.each(&mut |row| {
        match (row.label.parse(), &mut numbers) {
            (Ok(number), Some(numbers)) => numbers.push(number),
            _ => numbers = None,
        }
        Ok(())
    })?;
    match (numbers, names) {
        (Some(numbers), Some(names)) => {
            let of_row = numbers.iter().position(|label| *label >= names.len());
            if let Some(place) = of_row {
                let label = numbers.get(place).copied().unwrap_or_default();
                return Err(DataError::LabelOutOfRange {
                    file: file.to_path_buf(),
                    at: at(list.line(place)?),
                    label,
                    classes: names.len(),
                });
            }
            Ok((numbers, names))
        }
        (Some(numbers), None) => {
            let mut labels = Labels::as_read(file);
            let mut of_rows = numbers.iter();
            list.each(&mut |row| {
                let (Some(name), Some(label)) = (row.class_name, of_rows.next()) else {
                    return Err(DataError::NamelessLabels {
                        file: file.to_path_buf(),
                    });
                };
                labels.add(*label, name, || at(row.line))
            })?;
            Ok((numbers, labels.finish()?))
        }
        (None, names) => {
            let mut sorted: BTreeSet<String> = BTreeSet::new();
            list.each(&mut |row| {
                if !sorted.contains(row.label) {
                    sorted.insert(row.label.to_string());
                }
                Ok(())
            })?;
            let sorted: Vec<String> = sorted.into_iter().collect();
            let (keys, names) = match names {
                Some(names) => (names.clone(), names),
                None => (sorted.clone(), names_of_texts(list, sorted)?),
            };
            if let Some((first, second)) = same_names(&names).first().copied() {
                let mut place = String::new();
                list.each(&mut |row| {
                    if place.is_empty() && keys.get(second).is_some_and(|key| key == row.label) {
                        place = at(row.line);
                    }
                    Ok(())
                })?;
                let name = |place: usize| names.get(place).cloned().unwrap_or_default();
                return Err(DataError::SameNames {
                    file: file.to_path_buf(),
                    at: place,
                    first: name(first),
                    second: name(second),
                });
            }
            let known: HashMap<&str, usize> = keys
                .iter()
                .enumerate()
                .map(|(label, name)| (name.as_str(), label))
                .collect();
            let mut labels = Vec::new();
            list.each(&mut |row| {
                let label = known.get(row.label).ok_or_else(|| DataError::Malformed {
                    file: file.to_path_buf(),
                    line: row.line,
                    message: format!(
                        "the label {:?} is not among the {} class names",
                        row.label,
                        names.len()
                    ),
                })?;
                labels.push(*label);
                Ok(())
            })?;
            Ok((labels, names))
        }
    }
}

/// The names of labels that are texts: those of `class_name`, or the labels themselves.
fn names_of_texts(list: &List, labels: Vec<String>) -> Result<Vec<String>, DataError> {
    let mut names: HashMap<String, (String, u64)> = HashMap::new();
    list.each(&mut |row| {
        let Some(name) = row.class_name.filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        match names.get(row.label) {
            Some((known, line)) if known != name => Err(DataError::Malformed {
                file: list.file.to_path_buf(),
                line: row.line,
                message: format!(
                    "the label {:?} is called {name:?} here but {known:?} on line {line}",
                    row.label
                ),
            }),
            Some(_) => Ok(()),
            None => {
                names.insert(row.label.to_string(), (name.to_string(), row.line));
                Ok(())
            }
        }
    })?;
    let name = |label: String| match names.remove(&label) {
        Some((name, _)) => name,
        None => label,
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

/// Ways of writing the known keys in the lines of one file.
const MOST_KEYS: usize = 200;

/// A list whose rows can be read.
struct List<'a> {
    file: &'a Path,
    rows: Rows<'a>,
    header: Vec<String>,
    columns: Columns,
}

/// The text of the rows.
enum Rows<'a> {
    /// With this separator.
    Separated(&'a str, u8),
    JsonLines(&'a str),
}

impl<'a> List<'a> {
    fn separated(file: &'a Path, text: &'a str, usual: u8) -> Result<Self, DataError> {
        let separator = separator(file, text, usual)?;
        let header: Vec<String> = reader(text, separator)
            .headers()
            .map_err(|e| malformed(file, &e))?
            .iter()
            .map(str::to_string)
            .collect();
        if header.iter().all(String::is_empty) {
            return Err(DataError::EmptyList {
                file: file.to_path_buf(),
            });
        }
        Self::checked(file, Rows::Separated(text, separator), header)
    }

    fn json_lines(file: &'a Path, text: &'a str) -> Result<Self, DataError> {
        // Of keys that have no meaning here there may be any number.
        let mut header: BTreeSet<String> = BTreeSet::new();
        let mut first = None;
        for (line, object) in json_objects(file, text, true) {
            first = first.or(Some(line));
            for key in object?.keys() {
                if !header.contains(key) && columns::is_known(key) {
                    header.insert(key.clone());
                }
            }
            if header.len() > MOST_KEYS {
                return Err(DataError::Malformed {
                    file: file.to_path_buf(),
                    line,
                    message: format!(
                        "path, label, class name and split have more than {MOST_KEYS} different \
                         keys up to here; name each in one way"
                    ),
                });
            }
        }
        let header = header.into_iter().collect();
        let rows = Rows::JsonLines(text);
        Self::checked(file, rows, header).map_err(|error| match (error, first) {
            (DataError::MissingColumn { file, column, .. }, Some(line)) => DataError::Malformed {
                file,
                line,
                message: format!(
                    "expected an object with the keys \"path\" and \"label\", found no {column:?}"
                ),
            },
            (error, _) => error,
        })
    }

    /// The list, if it has rows and each of them has a path and a label.
    fn checked(file: &'a Path, rows: Rows<'a>, header: Vec<String>) -> Result<Self, DataError> {
        let mut count = 0_usize;
        rows.each(file, &header, &mut |_| {
            count += 1;
            Ok(())
        })?;
        let columns = match (&rows, count) {
            // Without a line there are no keys.
            (Rows::JsonLines(_), 0) => None,
            _ => Some(Columns::find(file, &header, &|visit| {
                rows.each(file, &header, visit)
            })?),
        };
        let Some(columns) = columns.filter(|_| count > 0) else {
            return Err(DataError::EmptyList {
                file: file.to_path_buf(),
            });
        };
        let list = Self {
            file,
            rows,
            header,
            columns,
        };
        list.each(&mut |_| Ok(()))?;
        Ok(list)
    }

    /// Visits each row.
    fn each(&self, visit: &mut dyn FnMut(&Row) -> Result<(), DataError>) -> Result<(), DataError> {
        self.rows.each(self.file, &self.header, &mut |cells| {
            visit(&self.row(cells)?)
        })
    }

    /// The line of a row.
    fn line(&self, place: usize) -> Result<u64, DataError> {
        let (mut at, mut line) = (0, 0);
        self.each(&mut |row| {
            if at == place {
                line = row.line;
            }
            at += 1;
            Ok(())
        })?;
        Ok(line)
    }

    /// The row, if its path and label are there and not empty.
    fn row<'c>(&self, cells: &'c Cells) -> Result<Row<'c>, DataError> {
        let wrong = |message: String| DataError::Malformed {
            file: self.file.to_path_buf(),
            line: cells.line,
            message,
        };
        let needed = |column: usize| {
            cells.cell(column).ok_or_else(|| {
                let name = self.header.get(column).map_or("", String::as_str);
                wrong(format!("has no {name:?}"))
            })
        };
        let row = Row {
            line: cells.line,
            path: needed(self.columns.path)?,
            label: needed(self.columns.label)?,
            class_name: self
                .columns
                .class_name
                .and_then(|column| cells.cell(column)),
            split: self.columns.split.and_then(|column| cells.cell(column)),
        };
        match (row.path.is_empty(), row.label.is_empty()) {
            (true, _) => Err(wrong("its path is empty".to_string())),
            (false, true) => Err(wrong("its label is empty".to_string())),
            (false, false) => Ok(row),
        }
    }
}

impl Rows<'_> {
    /// Visits the cells of each row, in the order of the header.
    fn each(
        &self,
        file: &Path,
        header: &[String],
        visit: &mut dyn FnMut(&Cells) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut cells = Cells::default();
        match self {
            Self::Separated(text, separator) => {
                let mut reader = reader(text, *separator);
                let mut record = csv::StringRecord::new();
                while reader
                    .read_record(&mut record)
                    .map_err(|e| malformed(file, &e))?
                {
                    cells.line = record.position().map_or(0, csv::Position::line);
                    cells.fill(record.iter().map(Some));
                    visit(&cells)?;
                }
            }
            Self::JsonLines(text) => {
                for (line, object) in json_objects(file, text, false) {
                    let object = object?;
                    cells.line = line;
                    let values: Vec<Option<Cow<str>>> = header
                        .iter()
                        .map(|key| json_cell(file, line, key, object.get(key)))
                        .collect::<Result<_, _>>()?;
                    cells.fill(values.iter().map(Option::as_deref));
                    visit(&cells)?;
                }
            }
        }
        Ok(())
    }
}

fn malformed(file: &Path, error: &csv::Error) -> DataError {
    DataError::Malformed {
        file: file.to_path_buf(),
        line: error.position().map_or(0, csv::Position::line),
        message: error.to_string(),
    }
}

/// The objects of the lines that are not blank. `untrusted`: whether the lines have not been read before.
fn json_objects<'a>(
    file: &'a Path,
    text: &'a str,
    untrusted: bool,
) -> impl Iterator<Item = (u64, Result<Map<String, Value>, DataError>)> + 'a {
    let lines = (1_u64..).zip(text.lines());
    let filled = lines.filter(|(_, text)| !text.trim().is_empty());
    filled.map(move |(line, text)| {
        let malformed = |message: String| DataError::Malformed {
            file: file.to_path_buf(),
            line,
            message,
        };
        let bounded = match untrusted {
            true => promptsrc_files::bounded_json(text.as_bytes()),
            false => Ok(()),
        };
        let object = bounded
            .map_err(|e| malformed(e.to_string()))
            .and_then(|()| {
                serde_json::from_str(text).map_err(|e| malformed(format!("is not JSON: {e}")))
            })
            .and_then(|value| match value {
                Value::Object(object) => Ok(object),
                _ => Err(malformed(
                    "expected an object with the keys \"path\" and \"label\"".to_string(),
                )),
            });
        (line, object)
    })
}

/// The text of a key's value; of keys that are not known, of texts and numbers only.
fn json_cell<'a>(
    file: &Path,
    line: u64,
    key: &str,
    value: Option<&'a Value>,
) -> Result<Option<Cow<'a, str>>, DataError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().into())),
        Some(Value::Number(number)) => Ok(Some(number.to_string().into())),
        Some(other) if columns::is_known(key) => Err(DataError::Malformed {
            file: file.to_path_buf(),
            line,
            message: format!("expected text or a number as {key:?}, found {other}"),
        }),
        Some(_) => Ok(None),
    }
}
