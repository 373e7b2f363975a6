//! What an evaluation shows of calibrated answers.

use promptsrc_calibration::{
    CalibrationBins, LabelledLogits, NumbersError, SetCounts, SetMethod, UnknownScore, auroc,
    brier_score, false_positive_rate, negative_log_likelihood,
};
use serde::{Deserialize, Serialize};

use super::answer::{Calibration, Wanted};
use super::error::CalibrationError;

/// The rate of known images at which images of unknown classes are counted.
const KEPT: f64 = 0.95;

/// Figures of labelled images under a calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibratedFigures {
    /// The fitted temperature.
    pub temperature: f64,
    /// Negative log-likelihood at it.
    pub negative_log_likelihood: f64,
    /// Brier score at it.
    pub brier_score: f64,
    /// Expected calibration error at it, in 15 bins.
    pub calibration_error: f64,
    /// Each kind of prediction sets; empty where only the temperature applies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<SetFigures>,
}

/// Figures of one kind of prediction sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetFigures {
    /// The kind.
    pub method: SetMethod,
    /// The promised coverage.
    pub promised: f64,
    /// Whether it is promised for each class.
    pub class_conditional: bool,
    /// Fraction of sets that hold the true class.
    pub coverage: f64,
    /// Mean number of classes in a set.
    pub mean_size: f64,
    /// Sets without a class.
    pub empty: u64,
}

/// How well images of unknown classes are told from those of known ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnknownFigures {
    /// Images of known classes.
    pub known: usize,
    /// Images of unknown classes.
    pub unknown: usize,
    /// Each score.
    pub scores: Vec<ScoreFigures>,
    /// What the calibration's threshold does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<ThresholdFigures>,
}

/// Figures of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreFigures {
    /// The score.
    pub score: UnknownScore,
    /// Area under the receiver operating characteristic, known classes being the positive ones.
    pub auroc: f64,
    /// Fraction of unknown images that count as known where 95 % of the known ones do.
    pub fpr_at_95: f64,
}

/// What a threshold does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdFigures {
    /// The score.
    pub score: UnknownScore,
    /// The threshold.
    pub threshold: f64,
    /// The wanted rate of known images that are kept.
    pub keep: f64,
    /// Fraction of images of known classes that count as known.
    pub known_kept: f64,
    /// Fraction of images of unknown classes that count as unknown.
    pub unknown_found: f64,
}

/// The figures of labelled images under a calibration, with sets of each kind that it has, or of the one that is
/// wanted. `of_these_classes`: whether the class names are those of the calibration; otherwise the temperature alone
/// applies.
///
/// # Errors
/// [`CalibrationError`] without images, or for a wrong coverage.
pub fn calibrated_figures(
    calibration: &Calibration,
    images: &LabelledLogits,
    wanted: &Wanted,
    of_these_classes: bool,
) -> Result<CalibratedFigures, CalibrationError> {
    let temperature = calibration.temperature();
    let methods = match (of_these_classes, wanted.sets) {
        (false, _) => Vec::new(),
        (true, Some(method)) => vec![method],
        (true, None) => calibration.set_methods(),
    };
    let promised = wanted.coverage.unwrap_or(calibration.record().coverage);
    let mut sets = Vec::new();
    for method in methods {
        let wanted = Wanted {
            coverage: Some(promised),
            sets: Some(method),
            unknown: false,
        };
        let mut counts = SetCounts::default();
        for (label, row) in images.rows() {
            let set = calibration.answer(row, &wanted)?.set;
            counts.add(label, &set.unwrap_or_default());
        }
        let (Some(coverage), Some(mean_size)) = (counts.coverage(), counts.mean_size()) else {
            return Err(NumbersError::Empty.into());
        };
        sets.push(SetFigures {
            method,
            promised,
            class_conditional: calibration.record().class_conditional,
            coverage,
            mean_size,
            empty: counts.empty,
        });
    }
    let bins = CalibrationBins::of(images, temperature);
    Ok(CalibratedFigures {
        temperature: temperature.value(),
        negative_log_likelihood: negative_log_likelihood(images, temperature)?,
        brier_score: brier_score(images, temperature)?,
        calibration_error: bins.error().ok_or(NumbersError::Empty)?,
        sets,
    })
}

/// How well each score tells images of unknown classes from those of known ones. `logit_scale`: CLIP's scale of the
/// logits; `calibration`: the one whose threshold is judged too, if it has one.
///
/// # Errors
/// [`NumbersError`] without images of either kind, or if a logit is not finite.
pub fn unknown_figures(
    known: &[&[f32]],
    unknown: &[&[f32]],
    logit_scale: f32,
    calibration: Option<&Calibration>,
) -> Result<UnknownFigures, NumbersError> {
    let mut scores = Vec::new();
    let mut judged = None;
    for score in UnknownScore::ALL {
        let scores_of = |rows: &[&[f32]]| -> Result<Vec<f64>, NumbersError> {
            rows.iter()
                .map(|row| score.score(row, logit_scale))
                .collect()
        };
        let (known, unknown) = (scores_of(known)?, scores_of(unknown)?);
        scores.push(ScoreFigures {
            score,
            auroc: auroc(&known, &unknown)?,
            fpr_at_95: false_positive_rate(&known, &unknown, KEPT)?,
        });
        let threshold = calibration.and_then(|of| of.unknown_threshold().ok());
        if let (Some(calibration), Some((of, threshold))) = (calibration, threshold)
            && of == score
        {
            let reach = |of: &[f64]| of.iter().filter(|score| **score >= threshold).count() as f64;
            judged = Some(ThresholdFigures {
                score,
                threshold,
                keep: calibration.record().unknown.keep,
                known_kept: reach(&known) / known.len() as f64,
                unknown_found: 1.0 - reach(&unknown) / unknown.len() as f64,
            });
        }
    }
    Ok(UnknownFigures {
        known: known.len(),
        unknown: unknown.len(),
        scores,
        threshold: judged,
    })
}
