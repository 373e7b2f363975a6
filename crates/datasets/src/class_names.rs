//! Files of class names.

use std::collections::HashMap;
use std::path::Path;

use crate::labels::Labels;
use crate::text::{Line, lines};
use crate::{DataError, Report, same_names};

fn wrong(file: &Path, message: String) -> DataError {
    DataError::ClassNames {
        file: file.to_path_buf(),
        message,
    }
}

/// Names, one per line, in the order of the labels, for `count` labels.
pub(crate) fn by_label(file: &Path, count: usize) -> Result<Vec<String>, DataError> {
    let lines = lines(file)?;
    if lines.len() != count {
        let found = lines.len();
        return Err(wrong(
            file,
            format!("expected {count} names, one per line, found {found}"),
        ));
    }
    unique(file, lines)
}

/// Names, one per line, in the order of the labels.
pub(crate) fn all(file: &Path) -> Result<Vec<String>, DataError> {
    let lines = lines(file)?;
    no_blank_line(file, &lines)?;
    unique(file, lines)
}

/// Names for class folders, given in the order of their labels. Three layouts are understood:
///
/// - lines `folder name words`, where the first word is a folder's name (ImageNet);
/// - for folders named 0, 1, 2, ...: the line of that number, counted from 0, without its leading
///   WordNet number (ImageNetV2);
/// - one name per line, in the folders' order.
///
/// Where WordNet numbers name the folders or the lines, classes may share a name: two of ImageNet's
/// 1000 classes are called "missile", two "sunglasses".
pub(crate) fn by_folder(
    file: &Path,
    folders: &[String],
    report: &mut Report,
) -> Result<Vec<String>, DataError> {
    let lines = lines(file)?;
    let mut named: HashMap<&str, (u64, &str)> = HashMap::new();
    for Line { text, number } in &lines {
        if let Some((folder, name)) = text.split_once(char::is_whitespace)
            && let Some((first, _)) = named.insert(folder, (*number, name.trim()))
            && folders.iter().any(|f| f == folder)
        {
            let message =
                format!("lines {first} and {number} both name a class for the folder {folder:?}");
            return Err(wrong(file, message));
        }
    }
    let known = |folder: &String| named.contains_key(folder.as_str());
    if folders.iter().any(known) {
        let lacking: Vec<&String> = folders.iter().filter(|f| !known(f)).collect();
        if let [first, ..] = lacking.as_slice() {
            let count = lacking.len();
            return Err(wrong(
                file,
                format!("names no class for {count} folders, for example {first:?}"),
            ));
        }
        let names = folders.iter().filter_map(|f| named.get(f.as_str()));
        let names = names.map(|(_, name)| name.to_string()).collect();
        let has_numbers = folders.iter().all(|folder| is_wordnet_number(folder));
        return shared(file, names, has_numbers, report);
    }

    let numbers: Vec<usize> = folders.iter().filter_map(|f| f.parse().ok()).collect();
    if numbers.len() == folders.len() && numbers.iter().all(|n| *n < lines.len()) {
        no_blank_line(file, &lines)?;
        let lines = numbers.iter().filter_map(|n| lines.get(*n));
        let lines: Vec<&str> = lines.map(|line| line.text.as_str()).collect();
        let names = lines.iter().map(|line| without_wordnet_number(line));
        let has_numbers = lines.iter().all(|line| wordnet_name(line).is_some());
        return shared(file, names.collect(), has_numbers, report);
    }
    if lines.len() != folders.len() {
        let message = format!(
            "expected a name for each of the {} class folders, one per line or after the folder's \
             name, found {} lines",
            folders.len(),
            lines.len()
        );
        return Err(wrong(file, message));
    }
    unique(file, lines)
}

/// The names, if no two are the same or, with a note, if they may be.
fn shared(
    file: &Path,
    names: Vec<String>,
    may_be: bool,
    report: &mut Report,
) -> Result<Vec<String>, DataError> {
    for (first, second) in same_names(&names) {
        let name = |place: usize| names.get(place).cloned().unwrap_or_default();
        let (first, second) = (name(first), name(second));
        if !may_be {
            let at = "two classes".to_string();
            let file = file.to_path_buf();
            return Err(DataError::SameNames {
                file,
                at,
                first,
                second,
            });
        }
        report.note(format!(
            "{}: two classes are called {first:?} and {second:?}: the second is never answered",
            file.display()
        ));
    }
    Ok(names)
}

/// Fails at a blank line between names whose line number counts.
fn no_blank_line(file: &Path, lines: &[Line]) -> Result<(), DataError> {
    match (1..)
        .zip(lines)
        .find(|(number, line)| line.number != *number)
    {
        Some((number, line)) => Err(line.wrong(
            file,
            format!("line {number} is blank, so the names after it would move; remove it"),
        )),
        None => Ok(()),
    }
}

/// `n01440764 tench` -> `tench`; other lines stay as they are.
fn without_wordnet_number(line: &str) -> String {
    wordnet_name(line).unwrap_or(line).to_string()
}

/// The name in a line that begins with a WordNet number.
fn wordnet_name(line: &str) -> Option<&str> {
    let (first, name) = line.split_once(char::is_whitespace)?;
    is_wordnet_number(first).then(|| name.trim())
}

/// Whether a text is a WordNet number, such as `n01440764`.
fn is_wordnet_number(text: &str) -> bool {
    let digits = text.strip_prefix('n');
    digits.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The lines as names, no two of them the same.
fn unique(file: &Path, lines: Vec<Line>) -> Result<Vec<String>, DataError> {
    let mut labels = Labels::as_read(file);
    for (label, line) in lines.iter().enumerate() {
        labels.add(label, &line.text, || line.place(file))?;
    }
    labels.finish()
}
