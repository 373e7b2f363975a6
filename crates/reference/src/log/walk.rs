//! The logs below a folder: `log.txt` of each run, and `log.txt-<time>` of repeated ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::ReferenceLogError;
use super::read::read;
use super::result::ReferenceResult;

const LOG: &str = "log.txt";

/// The runs below a folder.
#[derive(Debug, Default)]
pub struct ReferenceRuns {
    /// The log of each run and its contents, in the order of their folders.
    pub results: Vec<(PathBuf, ReferenceResult)>,
    /// Why logs could not be read.
    pub errors: Vec<ReferenceLogError>,
}

/// All logs below a folder, in the order of their paths; a file is returned as it is. Folders that
/// cannot be read are skipped, and a folder that links lead to again is searched once.
///
/// # Errors
///
/// Where the folder itself cannot be read.
pub fn find(folder: &Path) -> Result<Vec<PathBuf>, ReferenceLogError> {
    let failed = |source| ReferenceLogError::Read {
        path: folder.into(),
        source,
    };
    if !std::fs::metadata(folder).map_err(failed)?.is_dir() {
        return Ok(vec![folder.to_path_buf()]);
    }
    std::fs::read_dir(folder).map_err(failed)?;
    let mut logs = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let new = std::fs::canonicalize(&folder).is_ok_and(|place| seen.insert(place));
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        if !new {
            continue;
        }
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if is_log(&path) {
                logs.push(path);
            }
        }
    }
    logs.sort();
    Ok(logs)
}

fn is_log(path: &Path) -> bool {
    // Dassl appends the time where a log exists already.
    let rest = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix(LOG));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The result in each folder below `folder`: of several logs in one folder, the newest finished
/// one, or the newest if none is finished. Logs that cannot be read are reported with them.
///
/// # Errors
///
/// Where the folder itself cannot be read.
pub fn read_below(folder: &Path) -> Result<ReferenceRuns, ReferenceLogError> {
    let mut best: BTreeMap<PathBuf, (PathBuf, ReferenceResult)> = BTreeMap::new();
    let mut errors = Vec::new();
    // The name without a time sorts first and is the oldest; the others sort by time.
    for path in find(folder)? {
        let result = match read(&path) {
            Ok(result) => result,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let run = path.parent().unwrap_or(&path).to_path_buf();
        let kept = best.get(&run).is_some_and(|(_, old)| old.finished);
        if result.finished || !kept {
            best.insert(run, (path, result));
        }
    }
    Ok(ReferenceRuns {
        results: best.into_values().collect(),
        errors,
    })
}
