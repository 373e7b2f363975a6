//! Files that the Python reference has written: checkpoints and their logs.

use std::io::Read;
use std::path::{Path, PathBuf};

use promptsrc::run_folder;
use promptsrc_reference::checkpoint::{self, ReferenceCheckpoint, ReferenceCheckpointError};
use promptsrc_reference::log::{self, ReferenceResult};

use crate::failure::Failure;
use crate::output::Printer;

/// The checkpoint of the reference at a path; `None` if the path is something else.
pub fn checkpoint_at(path: &Path, epoch: Option<usize>) -> Result<Option<PathBuf>, Failure> {
    // An adapter in the folder takes precedence, because it is a file of this program.
    if path.join(run_folder::ADAPTER).exists() {
        return Ok(None);
    }
    match checkpoint::find(path, epoch)? {
        Some(file) if path.is_dir() || is_torch_file(path) => Ok(Some(file)),
        _ => Ok(None),
    }
}

/// Whether a file starts like a PyTorch file: as a zip archive or as a pickle.
fn is_torch_file(path: &Path) -> bool {
    let mut start = Vec::new();
    let read =
        promptsrc_files::open_regular(path).and_then(|file| file.take(9).read_to_end(&mut start));
    // A safetensors file starts with the length of its header, which may be any eight bytes.
    let safetensors = start.get(8) == Some(&b'{');
    let pickle = start.first() == Some(&0x80) && start.get(1).is_some_and(|version| *version < 6);
    read.is_ok() && !safetensors && (start.starts_with(b"PK") || pickle)
}

/// The results in the log of a checkpoint's run, if the log is next to the checkpoint.
pub fn log_of(checkpoint: &Path, printer: &Printer) -> Option<ReferenceResult> {
    let log = checkpoint::run_log(checkpoint)?;
    match log::read(&log) {
        Ok(found) => Some(found),
        Err(error) => {
            printer.warning(&error.to_string());
            None
        }
    }
}

/// Warns if a checkpoint was saved before the last epoch: the results of its run were measured with
/// other prompts.
pub fn warn_of_unfinished(checkpoint: &ReferenceCheckpoint, printer: &Printer) {
    if let (true, Some(epoch), Some(epochs)) = (
        checkpoint.is_unfinished(),
        checkpoint.epoch,
        checkpoint.epochs,
    ) {
        printer.warning(&format!(
            "{} was saved after epoch {epoch} of {epochs}: its prompts are not those of the finished \
             run",
            checkpoint.path.display()
        ));
    }
}

/// Says that a checkpoint's class name is taken to stand at the end.
pub fn note_assumed_position(checkpoint: &Path, printer: &Printer) {
    printer.note(&format!(
        "{} does not say where the class name stands: assumed the end (--class-position)",
        checkpoint.display()
    ));
}

/// The failure of an error: those that are due to a missing or wrong option are usage errors. `names` is
/// the option for the class names of the training.
pub fn usage(error: ReferenceCheckpointError, names: &str) -> Failure {
    let option = match &error {
        ReferenceCheckpointError::MissingInformation { .. } => return Failure::usage(error),
        ReferenceCheckpointError::OtherMethod { .. } => "--method".to_string(),
        ReferenceCheckpointError::NoClassNames { .. } => names.to_string(),
        ReferenceCheckpointError::ClassCount { .. }
        | ReferenceCheckpointError::OtherText { .. } => format!("{names}, --ctx-init"),
        ReferenceCheckpointError::OtherPrefix { .. } => "--ctx-init".to_string(),
        _ => return error.into(),
    };
    Failure::usage(format!("{option}: {error}"))
}
