//! A checkpoint of the Python reference (`model.pth.tar-N`), parsed and never executed.
//!
//! The reference's trainers PromptSRC and IVLP save `VLPromptLearner/model.pth.tar-<epoch>`: a
//! `torch.save` archive of the whole model's state dictionary, the optimiser and the scheduler, the
//! last two with live Python objects in them. Only the prompts are taken from it, and the facts
//! about the run in its shapes and settings. Its frozen weights differ from CLIP's by the rounding
//! of half-precision averaging, so the prompts are used with the original CLIP.

mod adapter;
mod clip_shape;
mod error;
mod location;
mod prompts;
mod reference_checkpoint;
mod save;
mod state_dict;
mod texts;

pub use adapter::Supplement;
pub use clip_shape::ClipShape;
pub use error::ReferenceCheckpointError;
pub use location::{FOLDER, find, run_log};
pub use prompts::PromptsError;
pub use reference_checkpoint::{ReferenceCheckpoint, is_saved_by_the_reference};
pub use save::{SavedCheckpoint, save, to_bytes};
