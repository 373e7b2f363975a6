//! A calibration, and what it answers of an image.

use std::path::{Path, PathBuf};

use promptsrc_calibration::{
    ConformalScores, NumbersError, SetMethod, SetScore, Temperature, Threshold, UnknownScore,
    images_needed, softmax,
};

use serde::Serialize;

use super::error::CalibrationError;
use super::record::CalibrationRecord;
use super::subject::CalibrationSubject;
use crate::run_folder::{ADAPTER, CALIBRATION};

/// What makes a classifier's answers reliable: a temperature, scores for prediction sets and a threshold for
/// unknown classes, made from labelled images that it was not trained on.
///
/// Sets and threshold are computed at CLIP's own temperature, so their promise does not depend on the fitted one.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    record: CalibrationRecord,
    temperature: Temperature,
    sets: Vec<(SetScore, ConformalScores)>,
}

/// What is wanted of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The set of classes that holds the true one with this probability, above 0 and below 1. `None`: no set,
    /// unless `sets` asks for one with the coverage that the calibration names.
    pub coverage: Option<f64>,
    /// The kind of sets; `None`: the first that the calibration has.
    pub sets: Option<SetMethod>,
    /// Whether the class is a known one.
    pub unknown: bool,
}

/// What a calibrated classifier says of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibratedAnswer {
    /// Probability of each class at the fitted temperature.
    pub probabilities: Vec<f32>,
    /// What the set promises.
    pub promise: Option<SetPromise>,
    /// Indices of the classes in the set, the most probable first. A set of LAC can be empty: no class is as
    /// probable as the true ones of the calibration.
    pub set: Option<Vec<usize>>,
    /// Whether the class is a known one.
    pub unknown: Option<UnknownAnswer>,
}

/// What prediction sets promise: with which probability they hold the true class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SetPromise {
    /// Their kind.
    pub sets: SetMethod,
    /// The probability.
    pub coverage: f64,
    /// Whether it is that of each class, and not of all together.
    pub class_conditional: bool,
}

/// Whether an image shows a class that is not among the names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnknownAnswer {
    /// Score of the image: higher for known classes.
    pub score: f64,
    /// Least score of an image that counts as known.
    pub threshold: f64,
    /// Whether the score is below the threshold.
    pub unknown: bool,
}

impl Calibration {
    /// That of a record, if it is sound; what is wrong otherwise.
    pub(super) fn of(record: CalibrationRecord) -> Result<Self, String> {
        let sets = record.checked()?;
        let temperature = Temperature::new(record.temperature.value).map_err(|e| e.to_string())?;
        Ok(Self {
            record,
            temperature,
            sets,
        })
    }

    /// The file beside that of an adapter: `calibration.json` in a run folder, otherwise the name of the adapter's
    /// file with `.calibration.json` after it.
    pub fn path_beside(adapter_file: &Path) -> PathBuf {
        match adapter_file.file_name() {
            Some(name) if name != ADAPTER => {
                let mut name = name.to_os_string();
                name.push(".");
                name.push(CALIBRATION);
                adapter_file.with_file_name(name)
            }
            _ => adapter_file.with_file_name(CALIBRATION),
        }
    }

    /// Loads a calibration and checks the file. Whether it is one of a classifier is checked by
    /// [`check_for`](Self::check_for).
    ///
    /// # Errors
    /// [`CalibrationError`] if the file cannot be read or is not a sound calibration.
    pub fn load(path: &Path) -> Result<Self, CalibrationError> {
        let record = CalibrationRecord::read(path)?;
        Self::of(record).map_err(|problem| CalibrationError::Damaged {
            path: path.into(),
            problem,
        })
    }

    /// Saves the calibration atomically.
    ///
    /// # Errors
    /// [`CalibrationError::Save`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CalibrationError> {
        self.record.write(path)
    }

    /// Fails if a classifier is another one than that of the calibration: another adapter, CLIP, precision or
    /// template, or other class names, as a promise only holds for those that were calibrated.
    ///
    /// # Errors
    /// [`CalibrationError::Other`] names what differs.
    pub fn check_for(&self, here: &CalibrationSubject) -> Result<(), CalibrationError> {
        self.record.subject.check_but_names(here)?;
        self.record.subject.check_names(here)
    }

    /// As [`check_for`](Self::check_for), whatever the class names are: enough for
    /// [`probabilities`](Self::probabilities) of a person who knows that the temperature was fitted on others.
    ///
    /// # Errors
    /// As [`check_for`](Self::check_for).
    pub fn check_temperature_for(&self, here: &CalibrationSubject) -> Result<(), CalibrationError> {
        self.record.subject.check_but_names(here)
    }

    /// What it was made from and for.
    pub fn record(&self) -> &CalibrationRecord {
        &self.record
    }

    /// The temperature.
    pub fn temperature(&self) -> Temperature {
        self.temperature
    }

    /// The kinds of sets that it has; the first is that of [`Wanted::sets`] `None`.
    pub fn set_methods(&self) -> Vec<SetMethod> {
        self.sets.iter().map(|(score, _)| score.method()).collect()
    }

    /// The class names, in the order of the logits.
    pub fn class_names(&self) -> &[String] {
        &self.record.subject.class_names
    }

    /// Probabilities of a row of logits at the fitted temperature, of any number of classes.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        let probabilities = softmax(logits, 1.0 / self.temperature.value());
        probabilities.into_iter().map(|p| p as f32).collect()
    }

    /// What is said of an image with these logits, one per class.
    ///
    /// # Errors
    /// [`CalibrationError`] if the logits are not finite numbers of these classes, or the calibration does not
    /// have what is wanted.
    pub fn answer(
        &self,
        logits: &[f32],
        wanted: &Wanted,
    ) -> Result<CalibratedAnswer, CalibrationError> {
        let (found, expected) = (logits.len(), self.class_names().len());
        if found != expected {
            return Err(NumbersError::Length { found, expected }.into());
        }
        if let Some(class) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(CalibrationError::Numbers(NumbersError::NotFinite {
                what: format!("the logit of {:?}", self.class_names()[class]),
                value: logits[class].to_string(),
            }));
        }
        let set = match self.threshold(wanted)? {
            Some((score, threshold)) => Some(score.set(logits, &threshold)?),
            None => None,
        };
        let unknown = match wanted.unknown {
            true => {
                let (of, threshold) = self.unknown_threshold()?;
                let score = of.score(logits, self.record.unknown.logit_scale)?;
                let unknown = score < threshold;
                Some(UnknownAnswer {
                    score,
                    threshold,
                    unknown,
                })
            }
            false => None,
        };
        Ok(CalibratedAnswer {
            probabilities: self.probabilities(logits),
            promise: self.promise(wanted),
            set,
            unknown,
        })
    }

    /// Fails if the calibration does not have what is wanted. What a user should know of it otherwise: for which
    /// classes its images are too few, so that they are in every set.
    ///
    /// # Errors
    /// [`CalibrationError`], as [`answer`](Self::answer) would.
    pub fn notes(&self, wanted: &Wanted) -> Result<Vec<String>, CalibrationError> {
        if wanted.unknown {
            self.unknown_threshold()?;
        }
        let Some((score, threshold)) = self.threshold(wanted)? else {
            return Ok(Vec::new());
        };
        let coverage = wanted.coverage.unwrap_or(self.record.coverage);
        let needed = images_needed(coverage)?;
        let method = score.method();
        Ok(match threshold {
            Threshold::Marginal(all) if all.is_infinite() => {
                let scores = self.scores(method)?.1.images();
                vec![format!(
                    "every {method} set holds all classes: a coverage of {coverage} needs at least {needed} \
                     calibration images, and there are {scores}"
                )]
            }
            Threshold::Marginal(_) => Vec::new(),
            Threshold::ByClass(each) => {
                let names = self.class_names().iter().zip(&each);
                let bare: Vec<&str> = names
                    .filter(|(_, threshold)| threshold.is_infinite())
                    .map(|(name, _)| name.as_str())
                    .collect();
                match bare.is_empty() {
                    true => Vec::new(),
                    false => vec![format!(
                        "{} of {} classes are in every {method} set, because a coverage of {coverage} for each \
                         class needs at least {needed} calibration images of it: {}",
                        bare.len(),
                        each.len(),
                        bare.join(", ")
                    )],
                }
            }
        })
    }

    /// What the sets that are wanted promise; `None` if none are.
    pub fn promise(&self, wanted: &Wanted) -> Option<SetPromise> {
        if wanted.coverage.is_none() && wanted.sets.is_none() {
            return None;
        }
        let method = wanted.sets.or(self.set_methods().first().copied());
        Some(SetPromise {
            sets: method.unwrap_or(SetMethod::Lac),
            coverage: wanted.coverage.unwrap_or(self.record.coverage),
            class_conditional: self.record.class_conditional,
        })
    }

    /// The scores of a kind of sets.
    fn scores(&self, method: SetMethod) -> Result<&(SetScore, ConformalScores), CalibrationError> {
        let found = self.sets.iter().find(|(score, _)| score.method() == method);
        found.ok_or_else(|| CalibrationError::NoSets {
            wanted: method,
            stored: self.set_methods(),
        })
    }

    /// The score and the threshold of the sets that are wanted; `None` if none are.
    fn threshold(
        &self,
        wanted: &Wanted,
    ) -> Result<Option<(SetScore, Threshold)>, CalibrationError> {
        let Some(promise) = self.promise(wanted) else {
            return Ok(None);
        };
        let (score, scores) = self.scores(promise.sets)?;
        let threshold = match promise.class_conditional {
            true => scores.thresholds_by_class(promise.coverage)?,
            false => scores.threshold(promise.coverage)?,
        };
        Ok(Some((*score, threshold)))
    }

    /// The score of unknown classes, and its threshold.
    pub(super) fn unknown_threshold(&self) -> Result<(UnknownScore, f64), CalibrationError> {
        let unknown = &self.record.unknown;
        match unknown.threshold {
            Some(threshold) => Ok((unknown.score, threshold)),
            None => Err(CalibrationError::NoThreshold {
                keep: unknown.keep,
                needed: images_needed(unknown.keep)?,
                images: self.record.data.images,
            }),
        }
    }
}
