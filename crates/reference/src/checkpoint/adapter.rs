//! A checkpoint of the reference as an adapter, from its file, its log and what the user gives.

use std::collections::BTreeMap;

use super::error::ReferenceCheckpointError;
use super::reference_checkpoint::ReferenceCheckpoint;
use super::settings;
use super::supplement::Supplement;
use crate::log::ReferenceResult;
use promptsrc::ConfigError;
use promptsrc::adapter::{Adapter, AdapterMeta};
use promptsrc::methods;
use promptsrc::records::{ClipRecord, DataRecord, PreprocessingRecord, other_settings};

/// What an adapter takes for granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumptions {
    /// The method of several whose files look the same and give the same classifier.
    pub method: Option<String>,
    /// That the class name stands at the end, although it may stand elsewhere.
    pub class_position: bool,
}

impl ReferenceCheckpoint {
    /// Whether the prompts are from an epoch before the last: not aggregated, and not those that
    /// the reference evaluates.
    pub fn is_unfinished(&self) -> bool {
        matches!((self.epoch, self.epochs), (Some(epoch), Some(epochs)) if epoch < epochs)
    }

    /// The checkpoint as an adapter. A file that this program wrote gives the adapter it was
    /// written from. Any other file has the parameters, optimiser and epochs, one of a whole model also
    /// the shape of the CLIP; the prompt prefix, the place of the class name, the data and the remaining
    /// settings come from `supplement`, its log and its preset. Without class names in `supplement`,
    /// there are none in the adapter; without a CLIP, its fingerprint is empty.
    ///
    /// # Errors
    ///
    /// Where the method or the CLIP is not known or another one, where settings contradict the
    /// parameters, and where each class has a context but not as many names are given.
    pub fn adapter(&self, supplement: &Supplement) -> Result<Adapter, ReferenceCheckpointError> {
        let mut meta = match &self.record {
            Some(record) => self.recorded(record.clone(), supplement)?,
            None => self.described(supplement)?,
        };
        if let Some(names) = &supplement.class_names {
            meta.class_names = names.clone();
        }
        self.check_number_of_names(&meta.class_names)?;
        if let Some((clip, preprocessing)) = &supplement.clip {
            self.check_settings(clip, preprocessing)?;
            (meta.clip, meta.preprocessing) = (clip.clone(), preprocessing.clone());
        }
        let prompts = meta.prompt_config().map_err(|e| self.config_error(e))?;
        let model = methods::prompt_model(prompts).map_err(|e| self.config_error(e))?;
        meta.template = model.template();
        Ok(Adapter {
            parameters: self.prompts.clone(),
            meta,
        })
    }

    /// The record of the adapter that the file was written from, with what is given instead.
    fn recorded(
        &self,
        mut meta: AdapterMeta,
        supplement: &Supplement,
    ) -> Result<AdapterMeta, ReferenceCheckpointError> {
        if let Some(method) = &supplement.method {
            self.check_method(method)?;
            meta.method = method.clone();
        }
        let prompts = meta.prompt_config().map_err(|e| self.config_error(e))?;
        meta.config = settings::replaced(self, prompts.clone(), &meta.method, supplement)
            .map_err(|e| self.config_error(e))?
            .into();
        Ok(meta)
    }

    /// The method, and whether anything says that it is this one.
    fn method_of<'a>(&'a self, supplement: &'a Supplement) -> Option<(&'a str, bool)> {
        let given = supplement.method.as_deref().or(self.method.as_deref());
        let of_log = || {
            let method = supplement.log.as_ref()?.method()?.name();
            self.form.methods().contains(&method).then_some(method)
        };
        match given.or_else(of_log) {
            Some(method) => Some((method, true)),
            None => self.form.default_method().map(|method| (method, false)),
        }
    }

    /// What an adapter of this checkpoint takes for granted, because neither the file nor `supplement`
    /// says it.
    pub fn assumptions(&self, supplement: &Supplement) -> Assumptions {
        let Some((method, is_known)) = self.method_of(supplement) else {
            return Assumptions::default();
        };
        if self.record.is_some() {
            return Assumptions::default();
        }
        Assumptions {
            method: (!is_known).then(|| method.to_string()),
            class_position: settings::assumes_position(method, supplement),
        }
    }

    fn config_error(&self, source: ConfigError) -> ReferenceCheckpointError {
        ReferenceCheckpointError::Config {
            path: self.path.clone(),
            source,
        }
    }

    /// Whether a method has these parameters.
    fn check_method(&self, method: &str) -> Result<(), ReferenceCheckpointError> {
        let methods = self.form.methods();
        match methods.contains(&method) {
            true => Ok(()),
            false => Err(ReferenceCheckpointError::OtherMethod {
                path: self.path.clone(),
                method: method.to_string(),
                expected: methods.join(", "),
            }),
        }
    }

    /// Whether there is a name for each class where each has a context of its own.
    fn check_number_of_names(&self, names: &[String]) -> Result<(), ReferenceCheckpointError> {
        let path = self.path.clone();
        match self.classes.filter(|_| self.is_class_specific()) {
            Some(classes) if names.is_empty() => {
                Err(ReferenceCheckpointError::NoClassNames { path, classes })
            }
            Some(expected) if names.len() != expected => {
                Err(ReferenceCheckpointError::ClassCount {
                    path,
                    expected,
                    found: names.len(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether a CLIP computes what the one of the training computed.
    fn check_settings(
        &self,
        clip: &ClipRecord,
        preprocessing: &PreprocessingRecord,
    ) -> Result<(), ReferenceCheckpointError> {
        let own = match (&self.record, &self.clip) {
            (Some(record), _) => (record.clip.clone(), record.preprocessing.clone()),
            // The reference opens OpenAI's files only, with their settings.
            (None, Some(shape)) => (shape.record(), shape.preprocessing()),
            (None, None) => return Ok(()),
        };
        let (trained, trained_preprocessing) = own;
        if (trained.vision, trained.text) != (clip.vision, clip.text) {
            // The prompts do not fit it, which is said when they are used.
            return Ok(());
        }
        let here = (clip.settings.as_ref(), preprocessing);
        match other_settings((trained.settings.as_ref(), &trained_preprocessing), here) {
            Some(differences) => Err(ReferenceCheckpointError::OtherSettings {
                path: self.path.clone(),
                differences,
            }),
            None => Ok(()),
        }
    }

    fn described(&self, supplement: &Supplement) -> Result<AdapterMeta, ReferenceCheckpointError> {
        let missing = |what, option| ReferenceCheckpointError::MissingInformation {
            path: self.path.clone(),
            what,
            option,
        };
        let log = supplement.log.as_ref();
        let method = self
            .method_of(supplement)
            .map(|(method, _)| method.to_string());
        let method = method
            .ok_or_else(|| missing("the method that its prompts were learned with", "--method"))?;
        self.check_method(&method)?;
        let given = supplement.clip.clone();
        let own = || self.clip.as_ref().map(|c| (c.record(), c.preprocessing()));
        let (clip, preprocessing) = given
            .or_else(own)
            .ok_or_else(|| missing("the CLIP that its prompts belong to", "--clip"))?;
        let data = data(log);
        let config =
            settings::described(self, &method, supplement).map_err(|e| self.config_error(e))?;
        let mut metrics = BTreeMap::new();
        if let Some(epoch) = self.epoch {
            metrics.insert("epochs".to_string(), epoch as f64);
        }
        Ok(AdapterMeta {
            format_version: AdapterMeta::FORMAT_VERSION,
            method,
            class_names: Vec::new(),
            template: String::new(),
            clip,
            preprocessing,
            data,
            precision: if self.half { "f16" } else { "f32" }.to_string(),
            config: config.into(),
            metrics,
        })
    }
}

fn data(log: Option<&ReferenceResult>) -> DataRecord {
    let classes = log.and_then(|l| l.subset);
    DataRecord {
        name: log.and_then(|l| l.dataset.clone()).unwrap_or_default(),
        split: None,
        classes: classes.map_or("unknown".to_string(), |classes| classes.to_string()),
        shots: log.and_then(|l| l.shots),
        images: 0,
        seed: log.and_then(|l| l.seed).unwrap_or_default(),
        ..DataRecord::default()
    }
}
