//! A record of a sweep as a JSON file.

use std::io;
use std::path::PathBuf;

use promptsrc_files::{SaveError, write_atomically};
use serde::Serialize;

/// Saves a record atomically, in lines that a person can read.
///
/// # Errors
/// [`SaveError`].
pub(crate) fn save_json(path: PathBuf, record: &impl Serialize) -> Result<(), SaveError> {
    let mut text = match serde_json::to_string_pretty(record) {
        Ok(text) => text,
        Err(error) => {
            let source = io::Error::other(error);
            return Err(SaveError { path, source });
        }
    };
    text.push('\n');
    write_atomically(&path, text.as_bytes())
}
