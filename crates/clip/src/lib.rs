//! CLIP with prompt slots: weight files, tokenizer and the two frozen towers.
//!
//! ```no_run
//! use promptsrc_clip::{ClipModel, Tokenizer, weights::ClipWeights};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let weights = ClipWeights::open("ViT-B-16.pt")?;
//! let clip = ClipModel::new(&weights, &Default::default())?;
//! let tokens = vec![Tokenizer::clip().tokenize("a photo of a cat.", 77, false)?];
//! let features = clip.text().encode(&tokens)?; // [1, embed_dim]
//! # Ok(())
//! # }
//! ```
//!
//! The towers save most of CLIP's work without changing what it computes; [`plain`] is the same
//! function without any saving.

mod attention;
mod block;
mod device_check;
pub mod hub;
mod layers;
mod model;
pub mod plain;
mod reader;
mod rows;
pub mod templates;
mod tensors;
mod text;
mod text_cleaning;
mod text_input;
mod token_embedding;
pub mod tokenizer;
mod vision;
pub mod weights;

pub use device_check::{DEVICE_TOLERANCE, DeviceCheckError, check_device};
pub use model::{ClipModel, has_kernels};
pub use promptsrc_kernels::{
    Activation, CPU_VARIABLE, InstructionSet, InstructionSetError, Precision, PrecisionError,
    Vendor, ceiling, processor_name,
};
pub use tensors::{BLOCK, unit, values};
pub use text::TextTower;
pub use text_input::{Slot, TextInput, TextInputError};
pub use tokenizer::{TokenizeError, Tokenizer, TokenizerError};
pub use vision::{VisionStem, VisionTower};
pub use weights::{ClipConfig, ClipWeights, WeightError};
