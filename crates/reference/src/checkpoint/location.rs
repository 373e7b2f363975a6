//! The location of a checkpoint in the folder of its run.

use std::path::{Path, PathBuf};

use super::error::ReferenceCheckpointError;

/// The folder in which the trainers PromptSRC and IVLP save, below that of the run.
pub const FOLDER: &str = "VLPromptLearner";
/// The text file that names the newest checkpoint beside it.
pub(super) const NEWEST: &str = "checkpoint";
const STEM: &str = "model.pth.tar-";
const BEST: &str = "model-best.pth.tar";

/// The name of an epoch's checkpoint.
pub(super) fn file_name(epoch: usize) -> String {
    format!("{STEM}{epoch}")
}

/// The checkpoint at a path. A file is returned as it is. In a folder (of a run, or [`FOLDER`] in
/// it), it is the checkpoint of `epoch`; without `epoch`, the one that the file `checkpoint` names,
/// or else the newest. `None` where the folder has no checkpoints.
///
/// # Errors
///
/// Where there are checkpoints, but none of `epoch`.
pub fn find(
    path: &Path,
    epoch: Option<usize>,
) -> Result<Option<PathBuf>, ReferenceCheckpointError> {
    if !path.is_dir() {
        return Ok(path.is_file().then(|| path.to_path_buf()));
    }
    for folder in [path.join(FOLDER), path.to_path_buf()] {
        let epochs = epochs(&folder);
        let best = Some(folder.join(BEST)).filter(|file| file.is_file());
        if epochs.is_empty() && best.is_none() {
            continue;
        }
        let of = |epoch: usize| folder.join(file_name(epoch));
        return match epoch {
            Some(epoch) if epochs.contains(&epoch) => Ok(Some(of(epoch))),
            Some(epoch) => Err(ReferenceCheckpointError::NotThere {
                path: folder.clone(),
                expected: file_name(epoch),
            }),
            None => Ok(named(&folder)
                .filter(|file| file.is_file())
                .or_else(|| epochs.iter().max().map(|epoch| of(*epoch)))
                .or(best)),
        };
    }
    Ok(None)
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
    let text = std::fs::read_to_string(folder.join(NEWEST)).ok()?;
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
