//! Prompt learning for a frozen CLIP that forgets nothing: PromptSRC and IVLP.
//!
//! A pretrained CLIP and a few labelled pictures of each class go in; an [`Adapter`] of a few dozen
//! prompt vectors comes out, which classifies among any class names. The library draws nothing and
//! prints nothing: it reports [`Event`]s.
//!
//! Reference: Khattak et al., "Self-regulating Prompts: Foundational Model Adaptation without
//! Forgetting", ICCV 2023.

pub mod adapter;
pub mod aggregation;
pub mod atomic_file;
pub mod class_texts;
mod classifier;
pub mod config;
mod device;
mod evaluate;
mod events;
pub mod learner;
pub mod losses;
pub mod metrics;
pub mod optimizer;
pub mod prompts;
pub mod reference_checkpoint;
pub mod run_folder;
pub mod schedule;
pub mod state_file;
pub mod tensor_file;
pub mod train;

pub use adapter::Adapter;
pub use classifier::{Classifier, ClassifierError};
pub use config::{Method, Preset, TrainConfig};
pub use device::{DeviceError, device, device_names};
pub use evaluate::{EvaluateError, evaluate};
pub use events::Event;
pub use learner::Learner;
pub use metrics::Evaluation;
pub use prompts::Prompts;
pub use promptsrc_clip::{Clip, ClipWeights};
pub use train::{TrainData, TrainJob};
