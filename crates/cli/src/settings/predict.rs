//! The settings of `promptsrc predict`.

use std::path::PathBuf;

use super::adapter::{AdapterSource, only_of_checkpoints};
use super::calibration::CalibrationSettings;
use super::clip::ClipSettings;
use super::files::{images, with_standard_input};
use super::names;
use crate::args::{Common, PredictArgs, PredictFormat};
use crate::failure::Failure;

/// A prediction.
#[derive(Clone, Debug)]
pub struct PredictSettings {
    pub images: Vec<PathBuf>,
    pub what: Predicting,
    pub calibration: CalibrationSettings,
    /// Number of class names to print per image.
    pub top_k: usize,
    /// Whether images that cannot be decoded are no failure.
    pub allow_unreadable: bool,
    /// Whether images are turned by their EXIF orientation; `None`: not said.
    pub exif: Option<bool>,
    pub format: PredictFormat,
}

/// The classifier of a prediction.
#[derive(Clone, Debug)]
pub enum Predicting {
    Adapter {
        source: AdapterSource,
        /// `None`: the class names that the adapter was trained on.
        names: Option<Vec<String>>,
    },
    ZeroShot {
        clip: ClipSettings,
        names: Vec<String>,
        templates: Vec<String>,
    },
}

impl PredictSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before an image is read or a
    /// CLIP is downloaded.
    pub fn new(args: &PredictArgs, common: &Common) -> Result<Self, Failure> {
        if let (true, Some(option)) = (args.zero_shot, args.checkpoint.given()) {
            return Err(only_of_checkpoints(option, "zero-shot CLIP has no prompts"));
        }
        let names = names::given(args.names.as_deref(), args.names_file.as_deref())?;
        let (inputs, what) = if args.zero_shot {
            let Some(names) = names else {
                return Err(Failure::usage(
                    "--zero-shot needs class names: --names or --names-file",
                ));
            };
            let clip = ClipSettings::new(args.clip.as_deref().unwrap_or_default(), common)?;
            let templates = names::templates(&args.template)?;
            let what = Predicting::ZeroShot {
                clip,
                names,
                templates,
            };
            (args.inputs.as_slice(), what)
        } else {
            let run_and_images = args.inputs.split_first();
            let Some((run, inputs)) = run_and_images.filter(|(_, images)| !images.is_empty())
            else {
                return Err(Failure::usage(
                    "give the run and at least one image: predict RUN IMAGE...",
                ));
            };
            let source = AdapterSource::new(run, args.clip.as_deref(), &args.checkpoint, common)?;
            (inputs, Predicting::Adapter { source, names })
        };
        let file = match &what {
            Predicting::Adapter { source, .. } => Some(source.file()),
            Predicting::ZeroShot { .. } => None,
        };
        let calibration = CalibrationSettings::new(&args.calibration, args.unknown, file)?;
        Ok(Self {
            calibration,
            images: images(&with_standard_input(inputs)?)?,
            what,
            top_k: args.top_k,
            allow_unreadable: args.allow_unreadable,
            exif: args.exif.exif,
            format: args.format,
        })
    }
}
