//! Files of class names.

use std::collections::HashMap;
use std::path::Path;

use crate::DataError;
use crate::labels::Labels;
use crate::text::{Line, lines};

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
    unique(file, lines(file)?)
}

/// Names for class folders, given in the order of their labels. Three layouts are understood:
///
/// - lines `folder name words`, where the first word is a folder's name (ImageNet);
/// - for folders named 0, 1, 2, ...: the line of that number, counted from 0, without its leading
///   WordNet number (ImageNetV2);
/// - one name per line, in the folders' order.
///
/// In the first two, classes may share a name: two of ImageNet's 1000 classes are called
/// "missile", two "sunglasses".
pub(crate) fn by_folder(file: &Path, folders: &[String]) -> Result<Vec<String>, DataError> {
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
        return Ok(names.map(|(_, name)| name.to_string()).collect());
    }

    let numbers: Vec<usize> = folders.iter().filter_map(|f| f.parse().ok()).collect();
    if numbers.len() == folders.len() && numbers.iter().all(|n| *n < lines.len()) {
        let names = numbers.iter().filter_map(|n| lines.get(*n));
        return Ok(names
            .map(|line| without_wordnet_number(&line.text))
            .collect());
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

/// `n01440764 tench` -> `tench`; other lines stay as they are.
fn without_wordnet_number(line: &str) -> String {
    match line.split_once(char::is_whitespace) {
        Some((first, name))
            if first.len() == 9
                && first.starts_with('n')
                && first.bytes().skip(1).all(|b| b.is_ascii_digit()) =>
        {
            name.trim().to_string()
        }
        _ => line.to_string(),
    }
}

/// The lines as names, no two of them the same.
fn unique(file: &Path, lines: Vec<Line>) -> Result<Vec<String>, DataError> {
    let mut labels = Labels::new(file);
    for (label, line) in lines.iter().enumerate() {
        labels.add(label, &line.text, || line.place(file))?;
    }
    labels.finish()
}
