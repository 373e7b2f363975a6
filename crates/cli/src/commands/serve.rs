//! `promptsrc serve`: answers requests over HTTP.

use std::path::Path;
use std::sync::Arc;

use promptsrc::calibration::{Calibration, CalibrationSubject};
use promptsrc::stop;
use promptsrc_service::{Model, Served, Service};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::{Predicting, ServeSettings};
use crate::signals::stop_when_told;

/// Where the service is, when it answers.
#[derive(Serialize)]
struct Listening {
    address: String,
    port: u16,
}

pub fn run(settings: ServeSettings, printer: &Printer) -> Result<(), Failure> {
    let ServeSettings {
        what,
        exif,
        calibration,
        needs_calibration,
        mut service,
        verbose,
    } = settings;
    if verbose {
        let printer = printer.clone();
        service.log = Some(Arc::new(move |line: &str| printer.note(line)));
    }
    let service = Service::bind(service)?;
    stop_when_told(printer)?;
    let address = service.address();
    let ready = || {
        let listening = Listening {
            address: format!("http://{address}"),
            port: address.port(),
        };
        // Who has closed standard output wants the service all the same.
        let _ = printer.answer(&listening, || format!("listening on http://{address}"));
    };
    let load = || {
        let (served, subject) = load(what, exif, printer)?;
        let calibration = calibration.map(|(path, calibration)| {
            let checked = checked(calibration, &path, &subject, served.upright, printer);
            match checked {
                Err(why) if needs_calibration => Err(Failure::failed(why)),
                Err(why) => {
                    printer.warning(&format!("not used: {why}"));
                    Ok(None)
                }
                Ok(calibration) => Ok(Some(Arc::new(calibration))),
            }
        });
        Ok(Served {
            calibration: calibration.transpose()?.flatten(),
            ..served
        })
    };
    let should_stop = Arc::new(stop::is_requested);
    match service.run::<Failure>(load, ready, should_stop)? {
        true => printer.note("stopped, and everything under way was answered"),
        false => printer.warning("stopped; some requests took too long to wait for"),
    }
    Ok(())
}

/// The model of the settings, without a calibration, and what a calibration of it is of.
fn load(
    what: Predicting,
    exif: Option<bool>,
    printer: &Printer,
) -> Result<(Served, CalibrationSubject), Failure> {
    match what {
        Predicting::ZeroShot {
            clip,
            names,
            templates,
        } => {
            let clip = clip.open(printer)?;
            let subject = CalibrationSubject::zero_shot(&clip, &names, &templates);
            let served = Served {
                clip,
                model: Model::ZeroShot { templates },
                names,
                upright: exif.unwrap_or(false),
                calibration: None,
            };
            Ok((served, subject))
        }
        Predicting::Adapter { source, names } => {
            let upright = source.exif(exif, printer);
            let path = source.path().display().to_string();
            let file = source.file().to_path_buf();
            let loaded = source.load(printer)?;
            let meta = &loaded.adapter.meta;
            let names = loaded.names(names, &path)?;
            let subject = CalibrationSubject::of_adapter(&file, meta, &loaded.clip, &names)?;
            let served = Served {
                clip: loaded.clip,
                model: Model::Adapter(Box::new(loaded.adapter)),
                names,
                upright,
                calibration: None,
            };
            Ok((served, subject))
        }
    }
}

/// The calibration, if it is one of this model, whatever its class names are: requests may give others. Says
/// where it cannot be relied on; gives why it is none of this model.
fn checked(
    calibration: Calibration,
    path: &Path,
    subject: &CalibrationSubject,
    upright: bool,
    printer: &Printer,
) -> Result<Calibration, String> {
    let checked = calibration.check_temperature_for(subject);
    checked.map_err(|error| format!("{}: {error}", path.display()))?;
    if calibration.class_names() != subject.class_names {
        printer.warning(&format!(
            "{} is for other class names than those of the service: only requests that give its own names \
             are answered by it",
            path.display()
        ));
    }
    if calibration.record().data.exif != upright {
        printer.warning(&format!(
            "{} was made from images that were{} turned by their EXIF orientation, unlike these: it may \
             promise too much",
            path.display(),
            if calibration.record().data.exif { "" } else { " not" }
        ));
    }
    Ok(calibration)
}
