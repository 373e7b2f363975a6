//! Calibrated answers of a classifier: a temperature, prediction sets with a promised coverage, and
//! "unknown" as an answer, fitted on labelled images that it was not trained on.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//!
//! use promptsrc::calibration::{Calibration, CalibrationSubject, Wanted};
//! use promptsrc::{Adapter, Clip};
//!
//! let (clip, file) = (Clip::open("ViT-B/16")?, Path::new("run/adapter.safetensors"));
//! let adapter = Adapter::load(file)?;
//! let names = &adapter.meta.class_names;
//! let calibration = Calibration::load(&Calibration::path_beside(file))?;
//! calibration.check_for(&CalibrationSubject::of_adapter(file, &adapter.meta, &clip, names)?)?;
//! let wanted = Wanted { coverage: Some(0.95), unknown: true, ..Wanted::default() };
//! for prediction in adapter.classifier(&clip, names)?.predict(&["photo.jpg"])? {
//!     let answer = calibration.answer(&prediction.logits, &wanted)?;
//!     println!("{:?} {:?}", answer.set, answer.unknown);
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
mod error;
mod figures;
mod fit;
mod record;
mod subject;

pub use answer::{CalibratedAnswer, Calibration, SetPromise, UnknownAnswer, Wanted};
pub use error::CalibrationError;
pub use figures::{
    CalibratedFigures, ScoreFigures, SetFigures, ThresholdFigures, UnknownFigures,
    calibrated_figures, unknown_figures,
};
pub use fit::{CalibrationImages, CalibrationOptions, hash_order};
pub use promptsrc_calibration::{
    CalibrationBins, LabelledLogits, NoTemperature, NumbersError, Raps, SetMethod, Temperature,
    UnknownScore, brier_score, check_rate, images_needed, negative_log_likelihood,
};
pub use record::{
    CalibrationRecord, DataOfCalibration, SetRecord, TemperatureRecord, UnknownRecord,
};
pub use subject::{CalibratedAdapter, CalibrationSubject};
