//! A checkpoint of a Python reference (`model.pth.tar-N`), parsed and never executed.
//!
//! The trainers of CoOp's family save, by Dassl, a `torch.save` archive of a state dictionary, the
//! optimiser and the scheduler, the last two with live Python objects in them: PromptSRC, IVLP and
//! MaPLe of the whole model, CoOp, CoCoOp, KgCoOp and ProGrad of their prompt learner ([`Form`]). Only
//! the learned tensors are taken from it, and the facts about the run in its shapes and settings. A
//! whole model's frozen weights are CLIP's or differ from them by the rounding of half-precision
//! averaging, so the prompts are used with the original CLIP.

mod adapter;
mod clip_shape;
mod error;
mod form;
mod learned;
mod location;
mod prompts;
mod reference_checkpoint;
mod save;
mod settings;
mod state_dict;
mod supplement;
mod texts;

pub use adapter::Assumptions;
pub use clip_shape::ClipShape;
pub use error::ReferenceCheckpointError;
pub use form::{Form, is_saved_by_the_reference};
pub use location::{find, run_log};
pub use prompts::PromptsError;
pub use reference_checkpoint::ReferenceCheckpoint;
pub use save::{SavedCheckpoint, save, to_bytes};
pub use supplement::Supplement;
