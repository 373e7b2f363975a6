//! Files and folders that are given as options.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use promptsrc_datasets::images_below;

use crate::failure::Failure;

/// The lines of a text file that are not blank, for texts whose places do not count.
pub fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let mut lines = trimmed_lines(path)?;
    lines.retain(|line| !line.is_empty());
    Ok(lines)
}

/// The lines of a text file, for texts whose places count: a blank line before another one is an
/// error, because without it all later texts would move.
pub fn rows(path: &Path) -> Result<Vec<String>, Failure> {
    let lines = trimmed_lines(path)?;
    match lines.iter().position(String::is_empty) {
        Some(place) => Err(Failure::failed(format!(
            "{}:{}: the line is blank, but every line is a text with a row of its own; remove the \
             line or fill it",
            path.display(),
            place + 1
        ))),
        None => Ok(lines),
    }
}

/// The lines of a text file without surrounding white space, up to the last that is not blank.
fn trimmed_lines(path: &Path) -> Result<Vec<String>, Failure> {
    let text = promptsrc_files::read_regular_text(path, promptsrc_files::LARGEST_TEXT)
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end();
    if text.is_empty() {
        return Err(Failure::failed(format!("{} has no lines", path.display())));
    }
    let most = promptsrc_clip::tokenizer::LONGEST_TEXT;
    let lines = text.lines().map(str::trim).enumerate();
    let long = |(i, line): (usize, &str)| match line.len() > most {
        true => Err(Failure::failed(format!(
            "{}: line {} has {} bytes; a name or a text has at most {most}",
            path.display(),
            i + 1,
            line.len()
        ))),
        false => Ok(line.to_string()),
    };
    lines.map(long).collect()
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
        if !input.is_dir() {
            found.push(input.clone());
            continue;
        }
        let images = images_below(input)?.images;
        if images.is_empty() {
            return Err(Failure::failed(format!(
                "{}: the folder contains no images",
                input.display()
            )));
        }
        found.extend(images);
    }
    Ok(found)
}

/// The inputs, with the paths on standard input, one per line, in place of `-`. Blank lines are
/// skipped; the end of a line may be that of Windows.
pub fn with_standard_input(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let is_list = |input: &&PathBuf| input.as_os_str() == "-";
    match inputs.iter().filter(is_list).count() {
        0 => return Ok(inputs.to_vec()),
        1 => {}
        _ => {
            return Err(Failure::usage(
                "- is given twice: standard input is one list",
            ));
        }
    }
    let failed =
        |e: &dyn std::fmt::Display| Failure::failed(format!("the list on standard input: {e}"));
    let mut text = String::new();
    let most = promptsrc_files::LARGEST_TEXT;
    std::io::Read::take(std::io::stdin(), most + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(&e))?;
    if text.len() as u64 > most {
        return Err(failed(&format!("it has more than {most} bytes")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let listed: Vec<PathBuf> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(PathBuf::from)
        .collect();
    if listed.is_empty() {
        return Err(Failure::failed("the list on standard input has no paths"));
    }
    Ok(inputs
        .iter()
        .flat_map(|input| match is_list(&input) {
            true => listed.clone(),
            false => vec![input.clone()],
        })
        .collect())
}
