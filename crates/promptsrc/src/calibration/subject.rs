//! What a calibration is of: a classifier, known by everything that its logits depend on.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::CalibrationError;
use crate::adapter::AdapterMeta;
use crate::clip::Clip;
use crate::config::ConfigError;
use crate::provenance::AdapterProvenance;
use crate::records::{ClipSettingsRecord, PreprocessingRecord, other_settings};

/// A classifier, known by everything that its logits depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationSubject {
    /// Name of the CLIP, for messages.
    pub clip: String,
    /// Fingerprint of its weights.
    pub clip_fingerprint: String,
    /// What it computes beyond its weights.
    pub clip_settings: Option<ClipSettingsRecord>,
    /// How images are prepared.
    pub preprocessing: PreprocessingRecord,
    /// Precision of the arithmetic.
    pub precision: String,
    /// The adapter; `None`: zero-shot CLIP.
    pub adapter: Option<CalibratedAdapter>,
    /// Templates of the class texts.
    pub templates: Vec<String>,
    /// The class names, in order.
    pub class_names: Vec<String>,
}

/// The adapter of a calibration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibratedAdapter {
    /// Name of the method.
    pub method: String,
    /// BLAKE3 hash of its file.
    pub file: String,
    /// BLAKE3 hash of its configuration, which options may complete where the file is a checkpoint of the
    /// reference.
    pub configuration: String,
}

impl CalibrationSubject {
    /// The classifier of an adapter, which was read from `file`, for these class names.
    ///
    /// # Errors
    /// [`CalibrationError::Read`] if the file cannot be read.
    pub fn of_adapter(
        file: &Path,
        meta: &AdapterMeta,
        clip: &Clip,
        names: &[impl AsRef<str>],
    ) -> Result<Self, CalibrationError> {
        let read = |source| CalibrationError::Read {
            path: file.into(),
            source,
        };
        let found = AdapterProvenance::of(file, &meta.method, &meta.precision).map_err(read)?;
        let configuration =
            serde_json::to_vec(&meta.config).map_err(|error| read(std::io::Error::other(error)))?;
        let templates = meta
            .templates()
            .map_err(|error: ConfigError| read(std::io::Error::other(error)))?;
        let adapter = CalibratedAdapter {
            method: found.method,
            file: found.hash,
            configuration: blake3::hash(&configuration).to_hex().to_string(),
        };
        Ok(Self {
            adapter: Some(adapter),
            ..Self::zero_shot(clip, names, &templates)
        })
    }

    /// Zero-shot CLIP with these class names and templates.
    pub fn zero_shot(
        clip: &Clip,
        names: &[impl AsRef<str>],
        templates: &[impl AsRef<str>],
    ) -> Self {
        let record = clip.record();
        let owned = |text: &dyn AsRef<str>| text.as_ref().to_string();
        Self {
            clip: record.name.clone(),
            clip_fingerprint: record.fingerprint.clone(),
            clip_settings: record.settings.clone(),
            preprocessing: clip.preprocessing_record(),
            precision: clip.precision().to_string(),
            adapter: None,
            templates: templates.iter().map(|text| owned(text)).collect(),
            class_names: names.iter().map(|name| owned(name)).collect(),
        }
    }

    /// Fails if a classifier is another one than this, but for the class names.
    pub(super) fn check_but_names(&self, here: &Self) -> Result<(), CalibrationError> {
        let other = |what, expected: &str, found: &str| {
            Err(CalibrationError::Other {
                what,
                expected: expected.to_string(),
                found: found.to_string(),
            })
        };
        if self.clip_fingerprint != here.clip_fingerprint {
            let [expected, found] = [self, here].map(|subject| {
                let start = subject.clip_fingerprint.chars().take(16);
                format!("{} ({})", subject.clip, start.collect::<String>())
            });
            return other("the CLIP", &expected, &found);
        }
        let settings = |of: &'_ Self| (of.clip_settings.clone(), of.preprocessing.clone());
        let (ours, theirs) = (settings(self), settings(here));
        let differences =
            other_settings((ours.0.as_ref(), &ours.1), (theirs.0.as_ref(), &theirs.1));
        if let Some(differences) = differences {
            return other("a CLIP with other settings", &differences, "this one");
        }
        let described = |of: &Self| match &of.adapter {
            Some(adapter) => {
                let start: String = adapter.file.chars().take(16).collect();
                format!("{} with the hash {start}", adapter.method)
            }
            None => "none (zero-shot CLIP)".to_string(),
        };
        let file = |of: &Self| of.adapter.as_ref().map(|adapter| adapter.file.clone());
        if file(self) != file(here) {
            return other("the adapter", &described(self), &described(here));
        }
        if self.adapter != here.adapter {
            return other(
                "the adapter",
                "with another configuration",
                "the same file with the options that are given here",
            );
        }
        if self.templates != here.templates {
            let [expected, found] = [self, here].map(|of| of.templates.join(" | "));
            return other("the templates", &expected, &found);
        }
        if self.precision != here.precision {
            return other("the precision", &self.precision, &here.precision);
        }
        Ok(())
    }

    /// Fails if the class names are other ones, or in another order.
    pub(super) fn check_names(&self, here: &Self) -> Result<(), CalibrationError> {
        if self.class_names == here.class_names {
            return Ok(());
        }
        let missing = |of: &Self, among: &Self| {
            let mut of = of.class_names.iter();
            of.find(|name| !among.class_names.contains(name)).cloned()
        };
        let described = |of: &Self, among: &Self| match missing(of, among) {
            Some(name) => format!("{} names with {name:?}", of.class_names.len()),
            None => format!("{} names", of.class_names.len()),
        };
        let (expected, mut found) = (described(self, here), described(here, self));
        if missing(self, here).is_none() && missing(here, self).is_none() {
            found += " in another order";
        }
        Err(CalibrationError::Other {
            what: "the class names,",
            expected,
            found,
        })
    }
}
