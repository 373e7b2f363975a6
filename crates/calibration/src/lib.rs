//! Calibrated answers of a classifier, from its logits: a temperature, prediction sets with a promised
//! coverage, scores that tell images of unknown classes, and the metrics that judge them.
//!
//! Numbers in, numbers out: a row of logits has one finite number per class; everything is computed in
//! f64. "CLIP's own temperature" is that of the logits as they are.
//!
//! ```
//! use promptsrc_calibration::{ConformalScores, LabelledLogits, SetScore, Temperature};
//!
//! let mut calibration = LabelledLogits::new(3);
//! for (label, row) in [(0, [2.0, 0.1, 0.3]), (1, [0.2, 0.5, 0.1]), (2, [0.9, 0.3, 0.4])] {
//!     calibration.push(label, &row)?;
//! }
//! let temperature = Temperature::fit(&calibration)?;
//! let scores = ConformalScores::fit(&SetScore::Lac, &calibration)?;
//! let threshold = scores.threshold(0.7)?;
//! let set = SetScore::Lac.set(&[1.0, 0.8, 0.1], &threshold)?; // classes, the most probable first
//! assert_eq!(set, [0, 1]);
//! assert!(temperature.value() > 0.0);
//! # Ok::<(), promptsrc_calibration::NumbersError>(())
//! ```

mod aps;
mod auroc;
mod bins;
mod brier;
mod conformal;
mod coverage;
mod error;
mod lac;
mod likelihood;
mod logits;
mod quantile;
mod raps;
mod raps_choice;
mod softmax;
mod temperature;
mod unknown;

pub use auroc::{auroc, false_positive_rate};
pub use bins::{BINS, CalibrationBins, ReliabilityBin};
pub use brier::brier_score;
pub use conformal::{ConformalScores, SetMethod, SetScore, Threshold, UnknownSetMethod};
pub use coverage::SetCounts;
pub use error::NumbersError;
pub use likelihood::negative_log_likelihood;
pub use logits::LabelledLogits;
pub use quantile::{check_rate, conformal_quantile, images_needed};
pub use raps::Raps;
pub use raps_choice::LAMBDAS;
pub use softmax::{log_sum_exp, softmax};
pub use temperature::{NoTemperature, Temperature};
pub use unknown::{UnknownScore, UnknownUnknownScore, known_threshold};
