//! Checkpoints and logs of the Python reference of PromptSRC (muzairkhattak/PromptSRC) and of the trainers
//! it is built on or compared with (CoOp, CoCoOp, MaPLe, KgCoOp, ProGrad): checkpoints are read and
//! written, logs are read.

pub mod checkpoint;
pub mod log;

pub use checkpoint::{ReferenceCheckpoint, ReferenceCheckpointError};
pub use log::{ReferenceLogError, ReferenceResult};
