//! The arguments, checked and converted to the types of the library: one file per command, and
//! files for the settings that several commands share.

mod adapter;
mod bench;
mod calibrate;
mod calibration;
mod clip;
mod collections;
mod convert;
mod data;
mod demo;
mod embed;
mod eval;
mod export;
mod files;
mod job_array;
mod names;
pub mod output_file;
mod predict;
mod report;
mod sample;
mod serve;
mod train;

pub use adapter::{check_for, warn_of_other_weights};
pub use bench::{BenchSettings, SweepSettings};
pub use calibrate::CalibrateSettings;
pub use calibration::{CalibrationSettings, InUse, UsedCalibration, images_of};
pub use clip::ClipSettings;
pub use convert::{Conversion, ConvertSettings, occupied};
pub use data::DataFiles;
pub use demo::DemoSettings;
pub use embed::EmbedSettings;
pub use eval::{EvalSettings, Evaluated, UnknownImages, ZeroShotTemplates};
pub use export::{ExportSettings, Exported};
pub use job_array::KUBERNETES_COMPLETIONS;
pub use predict::{PredictSettings, Predicting};
pub use report::{Measuring, ReportSettings, Reported, ReportedRun};
pub use sample::SampleSettings;
pub use serve::ServeSettings;
pub use train::{TrainSettings, config_usage};

use crate::failure::Failure;

/// Sets the number of threads of all arithmetic.
pub fn threads(asked: Option<usize>) -> Result<(), Failure> {
    match asked {
        Some(n) => rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build_global()
            .map_err(|e| Failure::failed(format!("--threads {n}: {e}"))),
        None => Ok(()),
    }
}

/// Number of decoding threads: the same as for the arithmetic.
pub fn decoding_threads() -> usize {
    rayon::current_num_threads()
}
