//! The calibration of a command: which file, what is wanted of it, and whether it is used.

use std::path::{Path, PathBuf};

use promptsrc::calibration::{Calibration, CalibrationError, CalibrationSubject, Wanted};
use serde::Serialize;

use crate::args::CalibrationArgs;
use crate::failure::Failure;
use crate::output::Printer;

/// A calibration that a command may use.
#[derive(Clone, Debug)]
pub struct CalibrationSettings {
    found: Option<(PathBuf, Box<Calibration>)>,
    wanted: Wanted,
    temperature_only: bool,
    /// Whether an option asks for it, so that not using it is a failure.
    is_asked_for: bool,
}

/// A calibration that is used.
pub struct InUse {
    pub path: PathBuf,
    pub calibration: Calibration,
    pub wanted: Wanted,
    /// Whether nothing but its temperature is used.
    pub temperature_only: bool,
}

/// A calibration in a result.
#[derive(Clone, Serialize)]
pub struct UsedCalibration {
    pub path: String,
    pub temperature: f64,
    pub temperature_only: bool,
    /// Name, part and number of its images.
    pub data: String,
    pub part: promptsrc::Parts,
    pub images: usize,
    pub program: String,
}

impl CalibrationSettings {
    /// That of the options, or the one beside the file of an adapter. `unknown`: whether unknown classes are
    /// asked for.
    ///
    /// # Errors
    /// [`Failure`] if one is asked for and there is none, or it is damaged or does not have what is wanted.
    pub fn new(
        args: &CalibrationArgs,
        unknown: bool,
        adapter_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let wanted = Wanted {
            coverage: args.coverage,
            sets: args.sets,
            unknown,
        };
        let asks = (wanted != Wanted::default()) || args.temperature_only;
        let is_asked_for = asks || args.calibration.is_some();
        let beside = adapter_file.map(Calibration::path_beside);
        let path = match (&args.calibration, args.no_calibration) {
            (_, true) => None,
            (Some(path), _) => Some(path.clone()),
            // Also a link that leads nowhere is there.
            (None, _) => beside
                .clone()
                .filter(|path| path.symlink_metadata().is_ok()),
        };
        let Some(path) = path else {
            if asks {
                let place = match beside {
                    Some(path) => format!("there is no {}", path.display()),
                    None => "zero-shot CLIP has none beside it".to_string(),
                };
                return Err(Failure::usage(format!(
                    "--coverage, --sets, --unknown and --temperature-only need a calibration, and {place}: make \
                     one with `promptsrc calibrate`, or name its file with --calibration"
                )));
            }
            return Ok(Self {
                found: None,
                wanted,
                temperature_only: false,
                is_asked_for,
            });
        };
        let calibration = Calibration::load(&path).map_err(|error| match args.calibration {
            Some(_) => Failure::from(error),
            None => without_it(&error),
        })?;
        calibration
            .notes(&wanted)
            .map_err(|error| of(&path, &error))?;
        Ok(Self {
            found: Some((path, Box::new(calibration))),
            wanted,
            temperature_only: args.temperature_only,
            is_asked_for,
        })
    }

    /// The calibration, if it is one of this classifier. Says whether it is used.
    ///
    /// # Errors
    /// [`Failure`] if an option asks for it and it is one of something else.
    pub fn of(
        self,
        subject: &CalibrationSubject,
        exif: bool,
        printer: &Printer,
    ) -> Result<Option<InUse>, Failure> {
        let Some((path, calibration)) = self.found else {
            return Ok(None);
        };
        let checked = match self.temperature_only {
            true => calibration.check_temperature_for(subject),
            false => calibration.check_for(subject),
        };
        if let Err(error) = checked {
            if self.is_asked_for {
                let hint = match calibration.check_temperature_for(subject) {
                    Ok(()) => " (--temperature-only uses its temperature all the same)",
                    Err(_) => "",
                };
                return Err(Failure::failed(format!(
                    "{}: {error}{hint}",
                    path.display()
                )));
            }
            printer.warning(&format!("{} is not used: {error}", path.display()));
            return Ok(None);
        }
        let record = calibration.record();
        if record.data.exif != exif {
            printer.warning(&format!(
                "{} was made from images that were{} turned by their EXIF orientation, unlike these: it may \
                 promise too much",
                path.display(),
                if record.data.exif { "" } else { " not" }
            ));
        }
        let data = &record.data;
        printer.note(&format!(
            "calibrated by {}: temperature {:.4}, from {} {} of {} (--no-calibration turns it off)",
            path.display(),
            record.temperature.value,
            data.images,
            images_of(data.part),
            data.name
        ));
        if self.temperature_only && calibration.check_for(subject).is_err() {
            printer.warning(&format!(
                "the temperature of {} was fitted on other class names, and need not be right for these",
                path.display()
            ));
        }
        if !self.temperature_only {
            for note in calibration.notes(&self.wanted).map_err(|e| of(&path, &e))? {
                printer.warning(&note);
            }
        }
        Ok(Some(InUse {
            path,
            calibration: *calibration,
            wanted: self.wanted,
            temperature_only: self.temperature_only,
        }))
    }

    /// The same, but a failure if an option asks for it, for this reason; otherwise a warning and no calibration.
    pub fn refused(self, reason: &str, printer: &Printer) -> Result<Self, Failure> {
        let Some((path, _)) = &self.found else {
            return Ok(self);
        };
        let message = format!("{} is not used: {reason}", path.display());
        if self.is_asked_for {
            return Err(Failure::failed(message));
        }
        printer.warning(&message);
        Ok(Self {
            found: None,
            ..self
        })
    }

    /// The calibration, whatever it is of.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.found.as_ref().map(|(_, calibration)| &**calibration)
    }
}

impl InUse {
    /// What a result says of it.
    pub fn used(&self) -> UsedCalibration {
        let record = self.calibration.record();
        UsedCalibration {
            path: self.path.display().to_string(),
            temperature: record.temperature.value,
            temperature_only: self.temperature_only,
            data: record.data.name.clone(),
            part: record.data.part,
            images: record.data.images,
            program: record.program.clone(),
        }
    }
}

/// Why the calibration that lies beside an adapter cannot be used.
pub fn without_it(error: &CalibrationError) -> Failure {
    Failure::failed(format!(
        "{} (--no-calibration goes on without it)",
        crate::failure::with_causes(error)
    ))
}

fn of(path: &Path, error: &CalibrationError) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

/// The images of a part, or of all, in a sentence.
pub fn images_of(part: promptsrc::Parts) -> String {
    let named = part.one().map(|part| format!("{part} images"));
    named.unwrap_or_else(|| "images".to_string())
}
