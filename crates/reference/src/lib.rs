//! Checkpoints and logs of the Python reference of PromptSRC (muzairkhattak/PromptSRC), both ways.

pub mod checkpoint;
pub mod log;

pub use checkpoint::{ReferenceCheckpoint, ReferenceCheckpointError};
pub use log::{ReferenceLogError, ReferenceResult};
