//! Reads one log from its file.

use std::io::Read;
use std::path::Path;

use super::error::ReferenceLogError;
use super::parse::parse;
use super::path::complete;
use super::result::ReferenceResult;

/// Largest log that is read; that of fifty epochs on ImageNet has a few megabytes.
const MOST_BYTES: u64 = 256 << 20;

/// Reads a log; what it does not contain is taken from its path. The last result on the test images
/// counts. Bytes that are not text and unknown lines are skipped.
///
/// # Errors
///
/// Where the file cannot be read or is not a log of the reference.
pub fn read(path: &Path) -> Result<ReferenceResult, ReferenceLogError> {
    let mut bytes = Vec::new();
    promptsrc_files::open_regular(path)
        .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| ReferenceLogError::Read {
            path: path.into(),
            source,
        })?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ReferenceLogError::TooLarge {
            path: path.into(),
            limit: MOST_BYTES,
        });
    }
    let mut found = parse(&bytes).ok_or_else(|| ReferenceLogError::NoLog { path: path.into() })?;
    complete(&mut found, path);
    Ok(found)
}
