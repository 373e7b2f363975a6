//! The adapter file: the learned parameters of a run, and everything that is needed to use them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use promptsrc_clip::ClipModel;
use promptsrc_files::SaveError;
use promptsrc_files::tensor_file::{self, NamedTensor, TensorFileError, Values};
use serde::{Deserialize, Serialize};

use crate::classifier::{Classifier, ClassifierError};
use crate::config::{ConfigError, MethodConfig, TrainConfig};
use crate::head::Head;
use crate::methods::{answers_other_names, prompt_model};
use crate::parameters::{Parameter, ParameterError, Parameters};
use crate::prompt_model::PromptModel;
use crate::records::{
    ClipRecord, ClipSettingsRecord, DataRecord, PreprocessingRecord, other_settings,
};

/// The format version that is written, and the newest that can be read.
const FORMAT_VERSION: u32 = 1;

/// Learned parameters with their record: about 200 kB for ViT-B/16. An adapter classifies among any
/// class names, not only those it was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Adapter {
    /// The learned parameters, aggregated if the run aggregates.
    pub parameters: Parameters,
    /// Description of the adapter and its training.
    pub meta: AdapterMeta,
}

/// Description of an adapter and its training, as stored in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterMeta {
    /// Version of the file's format.
    pub format_version: u32,
    /// Name of the method.
    pub method: String,
    /// The class names it was trained on, in label order.
    pub class_names: Vec<String>,
    /// The prompt around a class name; its learnable tokens are overwritten.
    pub template: String,
    /// The CLIP that it belongs to.
    pub clip: ClipRecord,
    /// How images must be prepared.
    pub preprocessing: PreprocessingRecord,
    /// The images that it was trained on.
    pub data: DataRecord,
    /// Precision of the training arithmetic.
    pub precision: String,
    /// The full configuration.
    pub config: MethodConfig,
    /// Figures of the training by name, such as the numbers of epochs and steps.
    pub metrics: BTreeMap<String, f64>,
}

/// An adapter that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// Its parameters are invalid.
    #[error("{}: {source}", path.display())]
    Parameters {
        /// The file.
        path: PathBuf,
        /// The error of the parameters.
        source: ParameterError,
    },
    /// The configuration in its record cannot be used.
    #[error("the record in {} contains a configuration that cannot be used: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The error of the configuration.
        source: ConfigError,
    },
}

impl AdapterMeta {
    /// The format version that is written.
    pub const FORMAT_VERSION: u32 = FORMAT_VERSION;

    /// The configuration of the prompts.
    ///
    /// # Errors
    /// [`ConfigError::NoPrompts`] if the method learns none.
    pub fn prompt_config(&self) -> Result<&TrainConfig, ConfigError> {
        let none = || ConfigError::NoPrompts {
            method: self.method.clone(),
        };
        self.config.prompts().ok_or_else(none)
    }

    /// The prompt model of the method with this configuration.
    ///
    /// # Errors
    /// [`ConfigError`] if the method is unknown or learns no prompts, or the configuration cannot be
    /// used.
    pub fn prompt_model(&self) -> Result<Box<dyn PromptModel>, ConfigError> {
        self.config.check()?;
        prompt_model(self.prompt_config()?)
    }

    /// The templates of the texts that classes are compared with; none for a head without texts.
    ///
    /// # Errors
    /// As [`prompt_model`](Self::prompt_model).
    pub fn templates(&self) -> Result<Vec<String>, ConfigError> {
        match &self.config {
            MethodConfig::Prompts(_) => Ok(vec![self.prompt_model()?.template()]),
            MethodConfig::Features(config) => Ok(config.templates.clone()),
        }
    }

    /// Checks that the method exists, is that of the configuration, and the configuration can be used.
    ///
    /// # Errors
    /// [`ConfigError`] says what is wrong. The record of a file is checked before anything is derived
    /// from it, because its numbers may be any.
    pub fn check(&self) -> Result<(), ConfigError> {
        match &self.config {
            MethodConfig::Prompts(_) => self.prompt_model().map(|_| ())?,
            MethodConfig::Features(config) => config.check()?,
        }
        match self.method == self.config.method() {
            true => Ok(()),
            false => Err(ConfigError::TwoMethods {
                configured: self.config.method().to_string(),
                named: self.method.clone(),
            }),
        }
    }
}

impl Adapter {
    /// Saves the adapter atomically.
    ///
    /// # Errors
    /// [`SaveError`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SaveError> {
        let tensors: Vec<NamedTensor> = self
            .parameters
            .iter()
            .map(|p| NamedTensor {
                name: p.name.clone(),
                shape: p.shape.clone(),
                values: Values::F32(p.values.clone()),
            })
            .collect();
        tensor_file::save(path, &tensors, Some(&self.meta))
    }

    /// Loads an adapter and checks the file. Whether it fits a CLIP is checked when it is used.
    ///
    /// # Errors
    /// [`AdapterError`] if the file cannot be read or its content is invalid.
    pub fn load(path: &Path) -> Result<Self, AdapterError> {
        let (tensors, meta): (_, AdapterMeta) =
            tensor_file::load(path, "an adapter", FORMAT_VERSION)?;
        meta.check().map_err(|source| AdapterError::Config {
            path: path.into(),
            source,
        })?;
        let parameter = |t: NamedTensor| Parameter {
            name: t.name,
            shape: t.shape,
            values: match t.values {
                Values::F32(values) => values,
                Values::F64(values) => values.into_iter().map(|v| v as f32).collect(),
            },
        };
        let list = tensors.into_iter().map(parameter).collect();
        let parameters = Parameters::new(list).map_err(|source| AdapterError::Parameters {
            path: path.into(),
            source,
        })?;
        Ok(Self { parameters, meta })
    }

    /// Checks that the adapter fits a CLIP.
    ///
    /// # Errors
    /// [`ClassifierError::Config`] or [`ClassifierError::Parameters`] if it does not fit,
    /// [`ClassifierError::OtherSettings`] if the CLIP computes something else from the same weights.
    pub fn check_for(&self, clip: &ClipModel) -> Result<(), ClassifierError> {
        let classes = self.meta.class_names.len();
        match &self.meta.config {
            MethodConfig::Prompts(_) => {
                let shapes = self.meta.prompt_model()?.shapes(clip, classes);
                self.parameters.check(&shapes, &self.meta.method)?;
            }
            MethodConfig::Features(config) => {
                let head = Head::of(&config.head, &self.parameters)?;
                let found = (head.dim(), head.classes().unwrap_or(classes));
                let expected = (clip.config().embed_dim, classes);
                if found != expected {
                    return Err(ClassifierError::OtherHead { found, expected });
                }
            }
        }
        let trained = (self.meta.clip.settings.as_ref(), &self.meta.preprocessing);
        let config = clip.config();
        let here = (
            Some(&ClipSettingsRecord::of(config, clip.tokenizer())),
            &PreprocessingRecord::of(&config.preprocess),
        );
        match other_settings(trained, here) {
            Some(differences) => Err(ClassifierError::OtherSettings { differences }),
            None => Ok(()),
        }
    }

    /// A classifier for any class names; for those of its training, in any number and order, if each
    /// class has parameters of its own ([`PromptModel::is_class_specific`]).
    ///
    /// # Errors
    /// [`ClassifierError`] if the adapter does not fit the CLIP, or a name cannot be embedded;
    /// [`ClassifierError::OtherClasses`] if it is not for these names.
    pub fn classifier<'a>(
        &self,
        clip: &'a ClipModel,
        names: &[impl AsRef<str>],
    ) -> Result<Classifier<'a>, ClassifierError> {
        self.check_for(clip)?;
        let places = match answers_other_names(&self.meta.config)? {
            true => None,
            false => Some(self.places_of(names)?),
        };
        if let MethodConfig::Features(config) = &self.meta.config {
            let mut head = Head::of(&config.head, &self.parameters)?;
            if let Some(places) = places {
                head = head.subset(&places)?;
            }
            return Classifier::with_head(clip, config, head, names);
        }
        let model = self.meta.prompt_model()?;
        let parameters = match places {
            Some(places) => model.of_classes(&self.parameters, &places),
            None => self.parameters.clone(),
        };
        Classifier::with_model(clip, model, &parameters, names)
    }

    /// The places of class names in the list of the training. Of equal names, which published data sets
    /// have, each has its own place.
    fn places_of(&self, names: &[impl AsRef<str>]) -> Result<Vec<usize>, ClassifierError> {
        let known = &self.meta.class_names;
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let place = |at: usize| {
            let before = names[..at]
                .iter()
                .filter(|name| **name == names[at])
                .count();
            let places = known.iter().enumerate().filter(|(_, k)| *k == names[at]);
            let places: Vec<usize> = places.map(|(place, _)| place).collect();
            places.get(before).or(places.first()).copied()
        };
        let places: Vec<Option<usize>> = (0..names.len()).map(place).collect();
        let unknown = names.iter().zip(&places);
        let unknown: Vec<String> = unknown
            .filter(|(_, place)| place.is_none())
            .map(|(name, _)| name.to_string())
            .collect();
        match unknown.is_empty() {
            true => Ok(places.into_iter().flatten().collect()),
            false => Err(ClassifierError::OtherClasses {
                method: self.meta.method.clone(),
                unknown,
                known: known.clone(),
            }),
        }
    }
}
