//! Checkpoints and logs of the Python reference of PromptSRC (muzairkhattak/PromptSRC): checkpoints
//! are read and written, logs are read.

pub mod checkpoint;
pub mod log;

pub use checkpoint::{ReferenceCheckpoint, ReferenceCheckpointError};
pub use log::{ReferenceLogError, ReferenceResult};
