//! Why a checkpoint cannot be read or written.

use std::path::PathBuf;

use promptsrc_pickle::{TorchFileError, TorchSaveError};

use promptsrc::prompts::PromptsError;
use promptsrc_files::SaveError;

/// A file that gives no prompts, or prompts that give no file.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceCheckpointError {
    /// The file.
    #[error(transparent)]
    File(#[from] TorchFileError),
    /// Its pickle would run code.
    #[error("{} would run {code} when Python loads it; it is not a checkpoint to trust", path.display())]
    Code {
        /// The file.
        path: PathBuf,
        /// What it would run.
        code: String,
    },
    /// Its prompts.
    #[error("{}: {source}", path.display())]
    Prompts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PromptsError,
    },
    /// A tensor is not of floats.
    #[error("{}: the tensor {name} is of type {dtype}, expected floats", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// A checkpoint of another method.
    #[error(
        "{} is a checkpoint of {trainer} (it holds {name}); those of PromptSRC and IVLP are read",
        path.display()
    )]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// The reference's trainer.
        trainer: &'static str,
        /// The tensor by which it is known.
        name: String,
    },
    /// The record that this program adds cannot be read.
    #[error("{}: the record of promptsrc in it cannot be read: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The record is newer than this program.
    #[error(
        "{}: its record has format version {found}, this program knows up to {known}: use a newer \
         promptsrc",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest known version.
        known: u32,
    },
    /// Something that an adapter must say is neither in the file nor given.
    #[error("{} does not say {what}: give it with {option}", path.display())]
    Unsaid {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
        /// How it can be given.
        option: &'static str,
    },
    /// Class names of another number than the checkpoint's classes.
    #[error(
        "{} was trained on {expected} classes, {found} class names are given: give those of its \
         training, in label order",
        path.display()
    )]
    ClassCount {
        /// The file.
        path: PathBuf,
        /// Its classes.
        expected: usize,
        /// Names that are given.
        found: usize,
    },
    /// Class names or words that the checkpoint's tokens contradict.
    #[error(
        "{}: class {class} was not trained as {text:?} (word {token} of it is another one): give \
         the class names of its training in label order, and the words before them",
        path.display()
    )]
    OtherText {
        /// The file.
        path: PathBuf,
        /// The class, counted from 1.
        class: usize,
        /// The text that was expected of it.
        text: String,
        /// The token that differs, counted from 1.
        token: usize,
    },
    /// The words in front of the class names that the checkpoint's tokens contradict.
    #[error(
        "{}: its prompts did not begin as {words:?}: give the words of CTX_INIT of its run",
        path.display()
    )]
    OtherWords {
        /// The file.
        path: PathBuf,
        /// The words that were expected.
        words: String,
    },
    /// A folder without checkpoint.
    #[error("{}: there is no checkpoint {expected} in it", path.display())]
    NotThere {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        expected: String,
    },
    /// The archive cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TorchSaveError,
    },
    /// The file or its folder cannot be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// A file that must not be lost stands there.
    #[error("{} is there already; it is replaced only when asked to", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
}
