//! The location of a checkpoint in the folder of its run.

use std::path::{Path, PathBuf};

use super::error::ReferenceCheckpointError;

/// The text file that names the newest checkpoint beside it.
pub(super) const NEWEST: &str = "checkpoint";
const STEM: &str = "model.pth.tar-";
const BEST: &str = "model-best.pth.tar";

/// The name of an epoch's checkpoint.
pub(super) fn file_name(epoch: usize) -> String {
    format!("{STEM}{epoch}")
}

/// The checkpoint at a path. A file is returned as it is. In a folder (of a run, or the one in it
/// in which a trainer saves), it is the checkpoint of `epoch`; without `epoch`, the one that the file
/// `checkpoint` names, or else the newest, or else the best. `None` where the folder has no
/// checkpoints.
///
/// # Errors
///
/// Where there are checkpoints, but none of `epoch`, or several folders of checkpoints.
pub fn find(
    path: &Path,
    epoch: Option<usize>,
) -> Result<Option<PathBuf>, ReferenceCheckpointError> {
    if !path.is_dir() {
        return Ok(path.is_file().then(|| path.to_path_buf()));
    }
    let Some(folder) = folder_of_checkpoints(path)? else {
        return Ok(None);
    };
    let epochs = epochs(&folder);
    let of = |epoch: usize| folder.join(file_name(epoch));
    match epoch {
        Some(epoch) if epochs.contains(&epoch) => Ok(Some(of(epoch))),
        Some(epoch) => Err(ReferenceCheckpointError::NotThere {
            path: folder.clone(),
            expected: file_name(epoch),
        }),
        None => Ok(named(&folder)
            .filter(|file| file.is_file())
            .or_else(|| epochs.iter().max().map(|epoch| of(*epoch)))
            .or_else(|| best(&folder))),
    }
}

/// The folder directly below `path` that has checkpoints, or else `path`, if it has some.
fn folder_of_checkpoints(path: &Path) -> Result<Option<PathBuf>, ReferenceCheckpointError> {
    let has_checkpoints = |folder: &Path| !epochs(folder).is_empty() || best(folder).is_some();
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut below: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|folder| folder.is_dir() && has_checkpoints(folder))
        .collect();
    below.sort();
    if below.len() > 1 {
        let name = |folder: &PathBuf| folder.file_name().map(|n| n.to_string_lossy().into_owned());
        return Err(ReferenceCheckpointError::SeveralFolders {
            path: path.to_path_buf(),
            folders: below.iter().filter_map(name).collect::<Vec<_>>().join(", "),
        });
    }
    Ok(below
        .pop()
        .or_else(|| has_checkpoints(path).then(|| path.to_path_buf())))
}

fn best(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(BEST)).filter(|file| file.is_file())
}

fn epochs(folder: &Path) -> Vec<usize> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(STEM)?.parse().ok())
        .collect()
}

/// The file that `checkpoint` names; only a file in the same folder.
fn named(folder: &Path) -> Option<PathBuf> {
    let text =
        promptsrc_files::read_regular_text(&folder.join(NEWEST), promptsrc_files::LARGEST_TEXT)
            .ok()?;
    let name = Path::new(text.lines().next()?.trim());
    let is_bare = name.file_name().is_some_and(|n| n == name.as_os_str());
    is_bare.then(|| folder.join(name))
}

/// The log of the run of a checkpoint, if it is where the reference writes it.
pub fn run_log(checkpoint: &Path) -> Option<PathBuf> {
    let folder = checkpoint.parent()?.parent()?;
    let log = match folder.as_os_str().is_empty() {
        true => PathBuf::from("log.txt"),
        false => folder.join("log.txt"),
    };
    log.is_file().then_some(log)
}
