//! Making a calibration from the logits of labelled images.

use promptsrc_calibration::{
    ConformalScores, LabelledLogits, Raps, SetMethod, SetScore, Temperature, UnknownScore,
    check_rate, known_threshold,
};

use super::answer::Calibration;
use super::error::CalibrationError;
use super::record::{
    CalibrationRecord, DataOfCalibration, SetRecord, TemperatureRecord, UnknownRecord,
};
use super::subject::CalibrationSubject;
use crate::provenance::program;

/// The part of the images on which the settings of RAPS are chosen: one of so many.
const CHOOSING: usize = 5;

/// How a calibration is made.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationOptions {
    /// Kinds of prediction sets; the first are those that are meant where no others are asked for.
    pub sets: Vec<SetMethod>,
    /// The settings of RAPS; `None`: they are chosen on a fifth of the images, which the sets are then not
    /// calibrated on: those whose hashes are smallest, a choice that depends on neither class nor order.
    pub raps: Option<Raps>,
    /// Coverage where no other is asked for, and for which the settings of RAPS are chosen.
    pub coverage: f64,
    /// Whether the coverage is promised for each class.
    pub class_conditional: bool,
    /// The score of unknown classes.
    pub unknown: UnknownScore,
    /// The wanted rate of known images that are kept.
    pub keep: f64,
}

impl Default for CalibrationOptions {
    fn default() -> Self {
        Self {
            sets: SetMethod::ALL.to_vec(),
            raps: None,
            coverage: 0.95,
            class_conditional: false,
            unknown: UnknownScore::McmUnscaled,
            keep: 0.95,
        }
    }
}

/// The images of a calibration.
#[derive(Clone, Debug)]
pub struct CalibrationImages<'a> {
    /// Their logits and classes.
    pub logits: &'a LabelledLogits,
    /// CLIP's scale of the logits.
    pub logit_scale: f32,
    /// Hash of each ([`content_hashes`](promptsrc_datasets::content_hashes)).
    pub hashes: &'a [u64],
    /// What is recorded of them.
    pub data: DataOfCalibration,
}

impl Calibration {
    /// Fits a calibration.
    ///
    /// # Errors
    /// [`CalibrationError`] if there are too few images, or an option is wrong.
    pub fn fit(
        subject: CalibrationSubject,
        images: CalibrationImages,
        options: &CalibrationOptions,
    ) -> Result<Self, CalibrationError> {
        let CalibrationImages {
            logits,
            logit_scale,
            hashes,
            data,
        } = images;
        check_rate(options.coverage)?;
        let chooses = options.sets.contains(&SetMethod::Raps) && options.raps.is_none();
        let (found, expected) = (logits.len(), if chooses { 2 } else { 1 });
        if found < expected {
            return Err(CalibrationError::TooFew {
                found,
                expected,
                chooses,
            });
        }
        let temperature = Temperature::fit(logits)?;
        let mut sets = Vec::new();
        for method in &options.sets {
            sets.push(set_record(*method, logits, hashes, options)?);
        }
        let mut scores = Vec::new();
        for (_, row) in logits.rows() {
            scores.push(options.unknown.score(row, logit_scale)?);
        }
        let record = CalibrationRecord {
            format_version: CalibrationRecord::FORMAT_VERSION,
            program: program(),
            subject,
            data: DataOfCalibration {
                images: logits.len(),
                ..data
            },
            temperature: TemperatureRecord {
                value: temperature.value(),
                fitted: temperature.missing().is_none(),
            },
            coverage: options.coverage,
            class_conditional: options.class_conditional,
            sets,
            unknown: UnknownRecord {
                score: options.unknown,
                logit_scale,
                keep: options.keep,
                threshold: known_threshold(&scores, options.keep)?,
            },
        };
        Self::of(record).map_err(|problem| CalibrationError::Damaged {
            path: "the new calibration".into(),
            problem,
        })
    }
}

fn set_record(
    method: SetMethod,
    logits: &LabelledLogits,
    hashes: &[u64],
    options: &CalibrationOptions,
) -> Result<SetRecord, CalibrationError> {
    let fitted = |score: SetScore, raps, images: &LabelledLogits| {
        let scores = ConformalScores::fit(&score, images)?;
        Ok(SetRecord {
            method,
            raps,
            chosen_on: logits.len() - images.len(),
            scores: scores.by_class().to_vec(),
        })
    };
    match (method, options.raps) {
        (SetMethod::Lac, _) => fitted(SetScore::Lac, None, logits),
        (SetMethod::Aps, _) => fitted(SetScore::Aps, None, logits),
        (SetMethod::Raps, Some(raps)) => fitted(SetScore::Raps(raps), Some(raps), logits),
        (SetMethod::Raps, None) => {
            let order = hash_order(hashes, logits.len());
            let (choosing, rest) = order.split_at((logits.len() / CHOOSING).max(1));
            let choosing = logits.select(choosing.iter().copied());
            let raps = Raps::choose(&choosing, options.coverage)?;
            let rest = logits.select(rest.iter().copied());
            fitted(SetScore::Raps(raps), Some(raps), &rest)
        }
    }
}

/// The places of `count` images by increasing hash; an order that depends on their content alone.
pub fn hash_order(hashes: &[u64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|place| (hashes.get(*place).copied(), *place));
    order
}
