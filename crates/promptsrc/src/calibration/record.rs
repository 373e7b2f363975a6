//! The file of a calibration.

use std::path::Path;

use promptsrc_calibration::{
    ConformalScores, NumbersError, Raps, SetMethod, SetScore, Temperature, UnknownScore, check_rate,
};
use promptsrc_datasets::{Classes, Parts};
use promptsrc_files::{LARGEST_TEXT, read_regular_json, write_atomically};
use serde::{Deserialize, Serialize};

use super::error::CalibrationError;
use super::subject::CalibrationSubject;
use crate::trained_images::TrainedImages;

/// The format version that is written, and the newest that can be read.
const FORMAT_VERSION: u32 = 1;

/// A calibration as its file holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationRecord {
    /// Version of the file's format.
    pub format_version: u32,
    /// Name and version of the program that made it.
    pub program: String,
    /// The classifier.
    pub subject: CalibrationSubject,
    /// The images.
    pub data: DataOfCalibration,
    /// The temperature.
    pub temperature: TemperatureRecord,
    /// Coverage of sets where no other is asked for.
    pub coverage: f64,
    /// Whether the coverage is promised for each class, not only on average over the classes.
    pub class_conditional: bool,
    /// Prediction sets; the first are those that are meant where no others are asked for.
    pub sets: Vec<SetRecord>,
    /// The threshold of unknown classes.
    pub unknown: UnknownRecord,
}

/// The images that a calibration was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataOfCalibration {
    /// Name of the data set.
    pub name: String,
    /// Their part.
    pub part: Parts,
    /// The part of the classes.
    pub classes: Classes,
    /// How many.
    pub images: usize,
    /// Images that were left out because the adapter was trained on them.
    pub trained_on: usize,
    /// Images that were left out because they could not be decoded.
    pub unreadable: usize,
    /// Whether they were turned by their EXIF orientation.
    pub exif: bool,
    /// What they contain.
    pub hashes: TrainedImages,
}

/// The temperature of greatest likelihood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemperatureRecord {
    /// The temperature that logits are divided by.
    pub value: f64,
    /// Whether it was fitted; otherwise there is no temperature of greatest likelihood, and it is CLIP's own.
    pub fitted: bool,
}

/// The scores of one kind of prediction sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetRecord {
    /// The kind.
    pub method: SetMethod,
    /// The settings of RAPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raps: Option<Raps>,
    /// Images that were set apart to choose these settings.
    pub chosen_on: usize,
    /// The scores of each class's images, in increasing order.
    pub scores: Vec<Vec<f64>>,
}

/// The threshold of unknown classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnknownRecord {
    /// The score.
    pub score: UnknownScore,
    /// CLIP's scale of the logits.
    pub logit_scale: f32,
    /// The wanted rate of known images that are kept.
    pub keep: f64,
    /// The threshold, below which an image is unknown; `None` where the images are too few.
    pub threshold: Option<f64>,
}

impl CalibrationRecord {
    /// The format version that is written.
    pub const FORMAT_VERSION: u32 = FORMAT_VERSION;

    /// Reads the file; its content is checked by its user.
    pub(super) fn read(path: &Path) -> Result<Self, CalibrationError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let bytes =
            read_regular_json(path, LARGEST_TEXT).map_err(|source| CalibrationError::Read {
                path: path.into(),
                source,
            })?;
        let parse = |source| CalibrationError::Parse {
            path: path.into(),
            source,
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(parse)?;
        match version.format_version {
            FORMAT_VERSION => serde_json::from_slice(&bytes).map_err(parse),
            found if found > FORMAT_VERSION => Err(CalibrationError::Format {
                path: path.into(),
                found,
                newest: FORMAT_VERSION,
            }),
            found => Err(CalibrationError::Damaged {
                path: path.into(),
                problem: format!("its format version is {found}"),
            }),
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), CalibrationError> {
        let mut text = serde_json::to_string(self).map_err(|source| CalibrationError::Parse {
            path: path.into(),
            source,
        })?;
        text.push('\n');
        Ok(write_atomically(path, text.as_bytes())?)
    }

    /// The scores of each kind of sets, checked; what is wrong otherwise.
    pub(super) fn checked(&self) -> Result<Vec<(SetScore, ConformalScores)>, String> {
        let numbers = |error: NumbersError| error.to_string();
        let temperature = Temperature::new(self.temperature.value).map_err(numbers)?;
        if !self.temperature.fitted && temperature != Temperature::OWN {
            let value = temperature.value();
            return Err(format!(
                "its temperature is {value}, although none was fitted"
            ));
        }
        for rate in [self.coverage, self.unknown.keep] {
            check_rate(rate).map_err(numbers)?;
        }
        let scale = self.unknown.logit_scale;
        if !(scale.is_finite() && scale > 0.0) {
            return Err(format!("its logit scale is {scale}"));
        }
        let is_probability = matches!(
            self.unknown.score,
            UnknownScore::Mcm | UnknownScore::McmUnscaled
        );
        if let Some(threshold) = self.unknown.threshold
            && (!threshold.is_finite() || is_probability && !(0.0..=1.0).contains(&threshold))
        {
            let score = self.unknown.score;
            return Err(format!("its threshold of {score} is {threshold}"));
        }
        let classes = self.subject.class_names.len();
        let (images, hashes) = (self.data.images, self.data.hashes.len());
        if classes == 0 || images == 0 || hashes == 0 || hashes > images {
            return Err(format!(
                "it has {classes} classes, {images} images and {hashes} hashes of them"
            ));
        }
        if self.sets.is_empty() {
            return Err("it has no prediction sets".to_string());
        }
        let mut checked: Vec<(SetScore, ConformalScores)> = Vec::new();
        for set in &self.sets {
            let method = set.method;
            let score = match (method, set.raps) {
                (SetMethod::Lac, None) => SetScore::Lac,
                (SetMethod::Aps, None) => SetScore::Aps,
                (SetMethod::Raps, Some(raps)) => {
                    SetScore::Raps(Raps::new(raps.lambda, raps.k_reg).map_err(numbers)?)
                }
                _ => return Err(format!("the settings of its {method} sets are not theirs")),
            };
            if checked.iter().any(|(score, _)| score.method() == method) {
                return Err(format!("it has {method} sets twice"));
            }
            if set.scores.len() != classes {
                let found = set.scores.len();
                return Err(format!(
                    "its {method} sets have scores of {found} classes, and there are {classes}"
                ));
            }
            let scores = ConformalScores::of(set.scores.clone()).map_err(numbers)?;
            let used = set.chosen_on.checked_add(scores.images());
            if used != Some(images) {
                return Err(format!(
                    "its {method} sets have {} scores and {} images for their settings, expected {images} \
                     together",
                    scores.images(),
                    set.chosen_on
                ));
            }
            // Those of LAC and APS are sums of probabilities.
            let greatest = match method {
                SetMethod::Lac | SetMethod::Aps => 1.0 + 1e-9,
                SetMethod::Raps => f64::INFINITY,
            };
            let is_sound = |score: &f64| (0.0..=greatest).contains(score);
            if let Some(score) = set.scores.iter().flatten().find(|score| !is_sound(score)) {
                return Err(format!("a score of its {method} sets is {score}"));
            }
            checked.push((score, scores));
        }
        Ok(checked)
    }
}
