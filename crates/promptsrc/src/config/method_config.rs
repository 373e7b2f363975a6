//! The configuration of any method that learns.

use promptsrc_clip::ClipConfig;
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::error::ConfigError;
use crate::config::feature_config::FeatureConfig;
use crate::config::train_config::TrainConfig;

/// The configuration of a method that learns, of either family. In files it is the configuration
/// itself: that of a feature method is the one with a `head`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MethodConfig {
    /// Of a method that learns prompts.
    Prompts(TrainConfig),
    /// Of a method that learns a head on frozen features.
    Features(FeatureConfig),
}

impl MethodConfig {
    /// Name of the method in the registry.
    pub fn method(&self) -> &str {
        match self {
            Self::Prompts(config) => &config.method,
            Self::Features(config) => &config.method,
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Prompts(config) => config.seed,
            Self::Features(config) => config.seed,
        }
    }

    /// Sets the seed.
    pub fn set_seed(&mut self, seed: u64) {
        match self {
            Self::Prompts(config) => config.seed = seed,
            Self::Features(config) => config.seed = seed,
        }
    }

    /// Epochs of the training; 1 if it has none.
    pub fn epochs(&self) -> usize {
        match self {
            Self::Prompts(config) => config.epochs,
            Self::Features(config) => config.head.epochs(),
        }
    }

    /// Whether the method chooses settings on validation images.
    pub fn needs_validation(&self) -> bool {
        matches!(self, Self::Features(config) if config.needs_validation())
    }

    /// The configuration of a method that learns prompts.
    pub fn prompts(&self) -> Option<&TrainConfig> {
        match self {
            Self::Prompts(config) => Some(config),
            Self::Features(_) => None,
        }
    }

    /// Rejects a configuration that cannot be trained.
    ///
    /// # Errors
    /// [`ConfigError`] names the option.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Prompts(config) => config.check(),
            Self::Features(config) => config.check(),
        }
    }

    /// Rejects a configuration that cannot be trained on this CLIP.
    ///
    /// # Errors
    /// [`ConfigError`] names the option.
    pub fn check_for(&self, clip: &ClipConfig) -> Result<(), ConfigError> {
        match self {
            Self::Prompts(config) => config.check_for(clip),
            Self::Features(config) => config.check(),
        }
    }
}

impl From<TrainConfig> for MethodConfig {
    fn from(config: TrainConfig) -> Self {
        Self::Prompts(config)
    }
}

impl From<FeatureConfig> for MethodConfig {
    fn from(config: FeatureConfig) -> Self {
        Self::Features(config)
    }
}

impl<'de> Deserialize<'de> for MethodConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = serde_json::Value::deserialize(deserializer)?;
        let config = match value.get("head") {
            Some(_) => serde_json::from_value(value).map(Self::Features),
            None => serde_json::from_value(value).map(Self::Prompts),
        };
        config.map_err(D::Error::custom)
    }
}
