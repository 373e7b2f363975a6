//! The configuration of a training run: its parts, the published presets, and overrides.

mod class_position;
mod error;
mod guidance;
mod overrides;
mod preset;
mod train_config;

pub use class_position::ClassPosition;
pub use error::ConfigError;
pub use guidance::Guidance;
pub use overrides::Overrides;
pub use preset::Preset;
pub use train_config::{PromptConfig, TrainConfig};

pub use crate::aggregation::AggregationConfig;
pub use crate::losses::LossWeights;
pub use crate::sgd::{OptimConfig, Warmup};
