//! `promptsrc serve`: answers requests over HTTP.

use std::sync::Arc;

use promptsrc::stop;
use promptsrc_clip::templates;
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
    let should_stop = Arc::new(stop::is_requested);
    let all = service.run(|| load(what, exif, printer), ready, should_stop)?;
    match all {
        true => printer.note("stopped, and everything under way was answered"),
        false => printer.warning("stopped; some requests took too long to wait for"),
    }
    Ok(())
}

/// The model of the settings.
fn load(what: Predicting, exif: Option<bool>, printer: &Printer) -> Result<Served, Failure> {
    match what {
        Predicting::ZeroShot { clip, names } => Ok(Served {
            clip: clip.open(printer)?,
            model: Model::ZeroShot {
                templates: vec![templates::PHOTO.to_string()],
            },
            names,
            upright: exif.unwrap_or(false),
        }),
        Predicting::Adapter { source, names } => {
            let upright = source.exif(exif, printer);
            let path = source.path().display().to_string();
            let loaded = source.load(printer)?;
            let names = names.unwrap_or_else(|| loaded.adapter.meta.class_names.clone());
            if names.is_empty() {
                return Err(Failure::usage(format!(
                    "{path} does not record which classes it was trained on: give class names with \
                     --names or --names-file"
                )));
            }
            Ok(Served {
                clip: loaded.clip,
                model: Model::Adapter(Box::new(loaded.adapter)),
                names,
                upright,
            })
        }
    }
}
