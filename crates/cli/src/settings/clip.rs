//! The CLIP, its device and its precision.

use std::path::{Path, PathBuf};

use promptsrc::{Clip, ClipError, ClipOptions, DeviceError, Precision, PrecisionChoice, is_mini};
use promptsrc_clip::hub::DownloadEvent;
use promptsrc_clip::weights::WeightOptions;

use crate::args::Common;
use crate::failure::Failure;
use crate::output::Printer;

/// A CLIP to open.
#[derive(Clone, Debug)]
pub struct ClipSettings {
    /// The value of `--clip`.
    pub spec: String,
    options: ClipOptions,
    /// Folder of the image features; `None`: they are kept in memory.
    feature_cache: Option<PathBuf>,
    /// How the evaluation of an adapter differs from its training.
    difference: Option<String>,
    /// The CLIP of the program that has called the command.
    opened: Option<Clip>,
}

impl ClipSettings {
    /// # Errors
    /// [`Failure`] if this build or this machine does not support the device or the precision.
    pub fn new(spec: &str, common: &Common) -> Result<Self, Failure> {
        Self::with(spec, common, common.weights())
    }

    /// With settings that a run recorded, for weights without a configuration.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(spec: &str, common: &Common, weights: WeightOptions) -> Result<Self, Failure> {
        let options = ClipOptions {
            device: common.device.clone(),
            precision: common.precision,
            weights,
        };
        options.resolve().map_err(|error| match error {
            ClipError::Device(error @ DeviceError::Unknown { .. }) => {
                Failure::usage(format!("--device: {error}"))
            }
            ClipError::Device(error) => Failure::failed(error),
            error => Failure::usage(format!("--precision: {error}")),
        })?;
        Ok(Self {
            spec: spec.to_string(),
            options,
            feature_cache: feature_cache(common),
            difference: None,
            opened: common.host.as_ref().and_then(|host| host.clip.clone()),
        })
    }

    /// The same, in the precision that the adapter in a file was trained in, unless the options
    /// say another one.
    pub fn for_adapter(self, file: &Path, precision: &str) -> Self {
        let chosen = self.options.trained_in(precision);
        Self {
            options: chosen.options,
            difference: chosen
                .difference
                .map(|difference| format!("{}: {difference}", file.display())),
            ..self
        }
    }

    /// The same in f32, unless the options say another precision.
    pub fn in_f32(mut self, common: &Common) -> Self {
        if common.precision == PrecisionChoice::Auto {
            self.options.precision = PrecisionChoice::Given(Precision::F32);
            self.difference = None;
        }
        self
    }

    /// Whether it is the built-in CLIP.
    pub fn is_mini(&self) -> bool {
        is_mini(&self.spec)
    }

    /// Finds the CLIP, downloads it if necessary, and opens it; prints warnings about its weight
    /// file.
    pub fn open(&self, printer: &Printer) -> Result<Clip, Failure> {
        if let Some(difference) = &self.difference {
            printer.warning(difference);
        }
        if let Some(clip) = &self.opened {
            return Ok(clip.clone());
        }
        let spec = &self.spec;
        let mut bar = indicatif::ProgressBar::hidden();
        let clip = Clip::open_with(spec, &self.options, &mut |event| match event {
            DownloadEvent::Started { file, bytes } => {
                printer.note(&format!("downloading {spec}: {file}"));
                bar = printer.bar(bytes, "bytes");
                bar.set_message(format!("{file} "));
            }
            DownloadEvent::Advanced { bytes } => bar.inc(bytes),
            _ => bar.finish_and_clear(),
        })?;
        for note in clip.notes() {
            printer.warning(&format!("{}: {note}", clip.source()));
        }
        Ok(match &self.feature_cache {
            // The built-in CLIP is faster than a disk.
            Some(folder) if !self.is_mini() => clip.with_feature_cache(folder),
            _ => clip,
        })
    }
}

/// The folder of the option, or one in the user's cache folder.
fn feature_cache(common: &Common) -> Option<PathBuf> {
    if let Some(folder) = &common.feature_cache {
        return (folder != Path::new("none")).then(|| folder.clone());
    }
    let of = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let user = of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")))?;
    Some(user.join("promptsrc").join("features"))
}
