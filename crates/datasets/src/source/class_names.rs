//! Files of class names.

use std::collections::HashMap;
use std::path::Path;

use super::read_text;
use crate::DataError;

/// The lines that say something, with their numbers from 1.
fn lines(file: &Path) -> Result<Vec<(usize, String)>, DataError> {
    let text = read_text(file)?;
    let lines = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim().to_string()));
    Ok(lines.filter(|(_, line)| !line.is_empty()).collect())
}

fn wrong(file: &Path, message: String) -> DataError {
    DataError::ClassNames {
        file: file.to_path_buf(),
        message,
    }
}

/// Names one a line, in the order of the labels, for `count` labels.
pub(super) fn by_label(file: &Path, count: usize) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = lines(file)?.into_iter().map(|(_, name)| name).collect();
    if names.len() != count {
        let found = names.len();
        return Err(wrong(
            file,
            format!("expected {count} names, one a line, found {found}"),
        ));
    }
    unique(file, names)
}

/// Names one a line, for labels that are yet to be read.
pub(super) fn all(file: &Path) -> Result<Vec<String>, DataError> {
    unique(
        file,
        lines(file)?.into_iter().map(|(_, name)| name).collect(),
    )
}

/// Names for class folders, given in the order of their labels. Three layouts are understood:
///
/// - `folder name words` a line, where the first words are the folders' names (ImageNet);
/// - for folders named 0, 1, 2, ...: the line of that number, its leading WordNet number dropped
///   (ImageNetV2);
/// - one name a line, in the folders' order.
///
/// In the first two, which name folders, two may share a name: of ImageNet's 1000 classes two are
/// both called "missile" and two "sunglasses".
pub(super) fn by_folder(file: &Path, folders: &[String]) -> Result<Vec<String>, DataError> {
    let lines = lines(file)?;
    let mut named: HashMap<&str, (usize, &str)> = HashMap::new();
    for (number, line) in &lines {
        if let Some((folder, name)) = line.split_once(char::is_whitespace)
            && let Some((first, _)) = named.insert(folder, (*number, name.trim()))
            && folders.iter().any(|f| f == folder)
        {
            let message = format!("lines {first} and {number} both name the folder {folder:?}");
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
                format!("names no class for {count} folders, as {first:?}"),
            ));
        }
        let names = folders.iter().filter_map(|f| named.get(f.as_str()));
        return Ok(names.map(|(_, name)| name.to_string()).collect());
    }

    let numbers: Vec<usize> = folders.iter().filter_map(|f| f.parse().ok()).collect();
    if numbers.len() == folders.len() && numbers.iter().all(|n| *n < lines.len()) {
        let names = numbers.iter().filter_map(|n| lines.get(*n));
        return Ok(names
            .map(|(_, line)| without_wordnet_number(line))
            .collect());
    }
    if lines.len() != folders.len() {
        let message = format!(
            "expected a name for each of the {} class folders, one a line or with the folder's \
             name first, found {} lines",
            folders.len(),
            lines.len()
        );
        return Err(wrong(file, message));
    }
    unique(file, lines.into_iter().map(|(_, name)| name).collect())
}

/// `n01440764 tench` -> `tench`; other lines stay.
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

/// A text encoder cannot tell classes of the same name apart.
fn unique(file: &Path, names: Vec<String>) -> Result<Vec<String>, DataError> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (label, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name, label) {
            let at = "class names".to_string();
            let (file, name) = (file.to_path_buf(), name.clone());
            return Err(DataError::TwoLabels {
                file,
                at,
                name,
                first,
                second: label,
            });
        }
    }
    Ok(names)
}
