//! Small text files, and the lines in them.

use std::path::Path;

use crate::DataError;

/// The text of a small file.
pub(crate) fn read(file: &Path) -> Result<String, DataError> {
    let bytes = promptsrc_files::read_regular(file, promptsrc_files::LARGEST_TEXT)
        .map_err(DataError::read(file))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let valid = e.utf8_error().valid_up_to();
        let line = 1 + e
            .as_bytes()
            .iter()
            .take(valid)
            .filter(|b| **b == b'\n')
            .count();
        DataError::Malformed {
            file: file.to_path_buf(),
            line: line as u64,
            message: "is not UTF-8 text; save it as UTF-8".into(),
        }
    })?;
    // Spreadsheet programs like to begin with a byte order mark.
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_string)
        .unwrap_or(text))
}

/// A line that is not blank.
pub(crate) struct Line {
    /// Its text, without surrounding white space.
    pub(crate) text: String,
    /// Its number, from 1.
    pub(crate) number: u64,
}

/// The lines of a small file, blank ones left out.
pub(crate) fn lines(file: &Path) -> Result<Vec<Line>, DataError> {
    let text = read(file)?;
    let lines = (1..).zip(text.lines()).map(|(number, line)| Line {
        text: line.trim().to_string(),
        number,
    });
    Ok(lines.filter(|line| !line.text.is_empty()).collect())
}

impl Line {
    /// The error for what is wrong with it.
    pub(crate) fn wrong(&self, file: &Path, message: impl Into<String>) -> DataError {
        DataError::Malformed {
            file: file.to_path_buf(),
            line: self.number,
            message: message.into(),
        }
    }

    /// Its place in the file, for a message.
    pub(crate) fn place(&self, file: &Path) -> String {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!("line {} of {name}", self.number)
    }

    /// A label that the file counts from 1.
    pub(crate) fn label_from_one(&self, file: &Path, text: &str) -> Result<usize, DataError> {
        let number = text.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        number.ok_or_else(|| {
            self.wrong(
                file,
                format!("expected the number of a class, from 1, found {text:?}"),
            )
        })
    }
}
