//! The configuration of a training run: its parts, the published presets, and overrides.

mod bounds;
mod class_position;
mod error;
mod feature_config;
mod guidance;
mod method_config;
mod overrides;
mod preset;
mod train_config;

pub use class_position::ClassPosition;
pub use error::ConfigError;
pub use feature_config::{Crops, FeatureConfig, HeadSettings};
pub use guidance::Guidance;
pub use method_config::MethodConfig;
pub use overrides::Overrides;
pub use preset::Preset;
pub use train_config::{PromptConfig, TrainConfig};

pub use crate::aggregation::AggregationConfig;
pub use crate::losses::LossWeights;
pub use crate::sgd::{OptimConfig, Warmup};
