//! The errors of reading and writing checkpoints.

use std::path::PathBuf;

use promptsrc_pickle::{TorchFileError, TorchSaveError};

use promptsrc::ConfigError;
use promptsrc_files::SaveError;

use super::prompts::PromptsError;

/// Why a checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceCheckpointError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] TorchFileError),
    /// Its pickle would execute code.
    #[error("{} would execute {code} when Python loads it: do not trust it", path.display())]
    Code {
        /// The file.
        path: PathBuf,
        /// The code that it would execute.
        code: String,
    },
    /// A CLIP has other settings than that of the training.
    #[error(
        "{} was trained on a CLIP with other settings ({differences}): name the CLIP that its run \
         started from",
        path.display()
    )]
    OtherSettings {
        /// The file.
        path: PathBuf,
        /// What differs.
        differences: String,
    },
    /// Its prompts are not valid.
    #[error("{}: {source}", path.display())]
    Prompts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PromptsError,
    },
    /// A tensor does not contain floating-point numbers.
    #[error(
        "{}: the tensor {name} has the type {dtype}, expected floating-point numbers",
        path.display()
    )]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// It is a checkpoint of another method than the one that is asked for.
    #[error(
        "{} is not a checkpoint of {method}: its parameters are those of {expected}",
        path.display()
    )]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// The method that is asked for.
        method: String,
        /// The methods with these parameters.
        expected: String,
    },
    /// It has contexts and tokens of different numbers of classes.
    #[error(
        "{} is damaged: it has contexts of {contexts} classes and tokens of {tokens}",
        path.display()
    )]
    TwoClassCounts {
        /// The file.
        path: PathBuf,
        /// Classes with a context.
        contexts: usize,
        /// Classes with tokens.
        tokens: usize,
    },
    /// Each class has a context of its own, and the names of these classes are not known.
    #[error(
        "each of the {classes} classes that {} was trained on has a context of its own: give their \
         names, in label order",
        path.display()
    )]
    NoClassNames {
        /// The file.
        path: PathBuf,
        /// Their number.
        classes: usize,
    },
    /// The record that promptsrc added cannot be read.
    #[error("{}: its promptsrc record cannot be read: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The record is newer than this program.
    #[error(
        "{}: its promptsrc record has format version {found}, but this program reads versions up \
         to {known}: use a newer promptsrc",
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
    /// Something that an adapter needs is neither in the file nor given.
    #[error("{} does not contain {what}: give it with {option}", path.display())]
    MissingInformation {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
        /// The option to give it with.
        option: &'static str,
    },
    /// Its configuration, or what was given for it, is not usable.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ConfigError,
    },
    /// An adapter of a method that no trainer saves such checkpoints of.
    #[error("an adapter of the method {method} cannot be saved as a checkpoint: {known} can")]
    NoSuchCheckpoints {
        /// The method.
        method: String,
        /// The methods with checkpoints.
        known: String,
    },
    /// The number of class names differs from the checkpoint's number of classes.
    #[error(
        "{} was trained on {expected} classes, but {found} class names are given: give those of \
         its training, in label order",
        path.display()
    )]
    ClassCount {
        /// The file.
        path: PathBuf,
        /// Its number of classes.
        expected: usize,
        /// Number of names that are given.
        found: usize,
    },
    /// A class name or the prompt prefix contradicts the checkpoint's tokens.
    #[error(
        "{}: class {class} was not trained as {text:?} (its token {token} differs): give the class \
         names of its training in label order, and its prompt prefix",
        path.display()
    )]
    OtherText {
        /// The file.
        path: PathBuf,
        /// The class, counted from 1.
        class: usize,
        /// The expected text.
        text: String,
        /// The token that differs, counted from 1.
        token: usize,
    },
    /// The prompt prefix contradicts the checkpoint's tokens.
    #[error(
        "{}: its prompts were not initialised with {prefix:?}: give the CTX_INIT of its run",
        path.display()
    )]
    OtherPrefix {
        /// The file.
        path: PathBuf,
        /// The expected prompt prefix.
        prefix: String,
    },
    /// Several folders below the given one have checkpoints.
    #[error("{}: several folders in it have checkpoints ({folders}); name one of them", path.display())]
    SeveralFolders {
        /// The folder.
        path: PathBuf,
        /// Their names.
        folders: String,
    },
    /// There is no such checkpoint in the folder.
    #[error("{}: there is no checkpoint {expected} in it", path.display())]
    NotThere {
        /// The folder.
        path: PathBuf,
        /// The name of the checkpoint.
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
    /// The file exists already.
    #[error("{} exists already and is replaced only when that is requested", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
}
