//! A calibration that cannot be made, read or used.

use std::path::PathBuf;

use promptsrc_calibration::{NumbersError, SetMethod};
use promptsrc_files::SaveError;

/// A calibration that cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The file is not a calibration.
    #[error("{} is not a valid calibration: {source}; make it again with `promptsrc calibrate`", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The error of the parser.
        source: serde_json::Error,
    },
    /// The file was written by a newer version.
    #[error(
        "{} has the format version {found}, but this version of promptsrc reads {newest}: update promptsrc, \
         or make the calibration again",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest that can be read.
        newest: u32,
    },
    /// The content of the file contradicts itself.
    #[error("{} is damaged: {problem}; make it again with `promptsrc calibrate`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It was made for something else.
    #[error(
        "the calibration was made for {what} {expected}, not for {found}: it promises nothing here"
    )]
    Other {
        /// What differs.
        what: &'static str,
        /// That of the calibration.
        expected: String,
        /// That here.
        found: String,
    },
    /// It holds no sets of the kind that is wanted.
    #[error(
        "the calibration has no {wanted} sets, only {}: calibrate again with --sets {wanted}",
        stored.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ")
    )]
    NoSets {
        /// The kind that is wanted.
        wanted: SetMethod,
        /// Those that it has.
        stored: Vec<SetMethod>,
    },
    /// It was made from too few images for a threshold of unknown classes.
    #[error(
        "the calibration has no threshold for unknown classes: keeping {keep} of the known images needs at \
         least {needed} calibration images, and it was made from {images}"
    )]
    NoThreshold {
        /// The rate of known images to keep.
        keep: f64,
        /// Images that this needs.
        needed: usize,
        /// Images that it was made from.
        images: usize,
    },
    /// Too few images.
    #[error(
        "{found} images to calibrate on, expected at least {expected}{}",
        if *chooses { ": a fifth of them is set apart to choose the settings of RAPS" } else { "" }
    )]
    TooFew {
        /// Images.
        found: usize,
        /// The fewest.
        expected: usize,
        /// Whether some are needed for the settings of RAPS.
        chooses: bool,
    },
    /// Numbers are wrong.
    #[error(transparent)]
    Numbers(#[from] NumbersError),
}
