//! Files and folders that are given as options.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The lines of a text file that are not blank.
pub fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(str::to_string)
        .collect();
    if lines.is_empty() {
        return Err(Failure::failed(format!("{} has no lines", path.display())));
    }
    Ok(lines)
}

/// The absolute path, which does not depend on the working directory.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_path_buf())
        .to_string_lossy()
        .into_owned()
}

/// Fails if a path that `what` needs as a folder is a file.
pub fn refuse_file(option: &str, path: &Path, what: &str) -> Result<(), Failure> {
    match path.exists() && !path.is_dir() {
        true => Err(Failure::failed(format!(
            "{option} {} is a file; {what} needs a folder, which is created if it does not exist",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// The given images, and the images in the given folders, in a stable order.
pub fn images(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for input in inputs {
        if input.is_dir() {
            let before = found.len();
            gather(input, &mut found, 0)?;
            if found.len() == before {
                return Err(Failure::failed(format!(
                    "{}: the folder contains no images",
                    input.display()
                )));
            }
        } else {
            found.push(input.clone());
        }
    }
    Ok(found)
}

fn gather(folder: &Path, found: &mut Vec<PathBuf>, depth: usize) -> Result<(), Failure> {
    // Deep enough for any data set; it limits the search if links form a cycle.
    const DEPTH: usize = 32;
    let failed = |e: std::io::Error| Failure::failed(format!("{}: {e}", folder.display()));
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        let hidden = entry
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if entry.is_dir() {
            if depth < DEPTH {
                gather(&entry, found, depth + 1)?;
            }
        } else if is_image(&entry) {
            found.push(entry);
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .map(str::to_lowercase);
    extension.is_some_and(|e| promptsrc_image::EXTENSIONS.contains(&e.as_str()))
}
