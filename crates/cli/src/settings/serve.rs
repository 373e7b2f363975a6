//! The settings of `promptsrc serve`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use promptsrc::calibration::Calibration;
use promptsrc_service::{Bounds, ServiceSettings, Token};

use super::adapter::{AdapterSource, only_of_checkpoints};
use super::calibration::without_it;
use super::clip::ClipSettings;
use super::decoding_threads;
use super::files::lines;
use super::names;
use super::predict::Predicting;
use crate::args::{BoundArgs, Common, ServeArgs};
use crate::failure::Failure;

/// Where the token is looked for, unless an option says it.
const TOKEN_VARIABLE: &str = "PROMPTSRC_TOKEN";

/// A service to start.
#[derive(Debug)]
pub struct ServeSettings {
    pub what: Predicting,
    /// Whether images are turned by their EXIF orientation; `None`: not said.
    pub exif: Option<bool>,
    /// The calibration, which may turn out to be for another model, and its file.
    pub calibration: Option<(PathBuf, Calibration)>,
    /// Whether it was asked for.
    pub needs_calibration: bool,
    pub service: ServiceSettings,
    /// Whether a line is printed for each request.
    pub verbose: bool,
}

impl ServeSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before a CLIP is opened.
    pub fn new(args: &ServeArgs, common: &Common) -> Result<Self, Failure> {
        if common.host.is_some() {
            let message = "serve is a process of its own: start it with the command";
            return Err(Failure::usage(message));
        }
        if let (true, Some(option)) = (args.zero_shot, args.checkpoint.given()) {
            return Err(only_of_checkpoints(option, "zero-shot CLIP has no prompts"));
        }
        let names = names::given(args.names.as_deref(), args.names_file.as_deref())?;
        let what = match &args.run {
            None => {
                let Some(names) = names else {
                    return Err(Failure::usage(
                        "--zero-shot needs class names: --names or --names-file",
                    ));
                };
                let clip = ClipSettings::new(args.clip.as_deref().unwrap_or_default(), common)?;
                Predicting::ZeroShot {
                    clip,
                    names,
                    templates: names::templates(&args.template)?,
                }
            }
            Some(run) => {
                let source =
                    AdapterSource::new(run, args.clip.as_deref(), &args.checkpoint, common)?;
                Predicting::Adapter { source, names }
            }
        };
        let token = token(args)?;
        if token.is_none() && !args.no_token && !args.host.is_loopback() {
            return Err(Failure::usage(format!(
                "--host {}: other machines reach this address, and there is no token: give one with \
                 --token-file or {TOKEN_VARIABLE}, or --no-token to answer everybody",
                args.host
            )));
        }
        let BoundArgs {
            queue, max_images, ..
        } = args.bounds;
        if queue < max_images {
            return Err(Failure::usage(format!(
                "--queue {queue}: it cannot take a request of --max-images {max_images}"
            )));
        }
        let service = ServiceSettings {
            host: args.host,
            port: args.port,
            token,
            allowed_hosts: args.allow_host.clone(),
            top_k: args.top_k,
            decoders: decoding_threads(),
            bounds: bounds(&args.bounds)?,
            log: None,
        };
        Ok(Self {
            calibration: calibration(args, &what)?,
            needs_calibration: args.calibration.is_some(),
            what,
            exif: args.exif.exif,
            service,
            verbose: args.verbose,
        })
    }
}

/// The calibration of the options, or the one beside the adapter.
fn calibration(
    args: &ServeArgs,
    what: &Predicting,
) -> Result<Option<(PathBuf, Calibration)>, Failure> {
    if args.no_calibration {
        return Ok(None);
    }
    let beside = match what {
        Predicting::Adapter { source, .. } => Some(Calibration::path_beside(source.file())),
        Predicting::ZeroShot { .. } => None,
    };
    // Also a link that leads nowhere is there.
    let beside = beside.filter(|path| path.symlink_metadata().is_ok());
    let Some(path) = args.calibration.clone().or(beside) else {
        return Ok(None);
    };
    let calibration = Calibration::load(&path).map_err(|error| match args.calibration {
        Some(_) => Failure::from(error),
        None => without_it(&error),
    })?;
    Ok(Some((path, calibration)))
}

fn bounds(args: &BoundArgs) -> Result<Bounds, Failure> {
    /// Largest body in MiB: bodies of all requests are counted in 32 bits.
    const MOST_MIB: usize = 1024;
    if args.max_body > MOST_MIB {
        let found = args.max_body;
        return Err(Failure::usage(format!(
            "--max-body {found}: at most {MOST_MIB} MiB"
        )));
    }
    let max_body = args.max_body << 20;
    let seconds = |seconds: usize| Duration::from_secs(seconds.min(86_400) as u64);
    let defaults = Bounds::default();
    Ok(Bounds {
        max_body,
        max_bodies: defaults.max_bodies.max(4 * max_body),
        max_images: args.max_images,
        max_names: args.max_names,
        max_name_bytes: args.max_name_bytes,
        max_pixels: args.max_pixels as u64,
        queue: args.queue.min(1 << 20),
        max_batch: args.max_batch.min(1024),
        batch_delay: Duration::from_millis(args.batch_delay_ms.min(60_000)),
        timeout: seconds(args.timeout),
        header_timeout: seconds(args.header_timeout),
        max_connections: args.max_connections.min(1 << 16),
        class_cache: args.class_cache,
        ..defaults
    })
}

/// The token of the options, or of the environment.
fn token(args: &ServeArgs) -> Result<Option<Token>, Failure> {
    if args.no_token {
        return Ok(None);
    }
    let (place, text) = match &args.token_file {
        Some(file) => (format!("--token-file {}", file.display()), of_file(file)?),
        None => match std::env::var(TOKEN_VARIABLE) {
            Ok(text) => (TOKEN_VARIABLE.to_string(), text),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(error) => return Err(Failure::usage(format!("{TOKEN_VARIABLE}: {error}"))),
        },
    };
    let token = Token::new(&text);
    token
        .map(Some)
        .map_err(|error| Failure::usage(format!("{place}: {error}")))
}

/// The only line of a file.
fn of_file(file: &Path) -> Result<String, Failure> {
    let lines = lines(file).map_err(|error| Failure::failed(format!("--token-file {error}")))?;
    match lines.as_slice() {
        [line] => Ok(line.clone()),
        several => Err(Failure::usage(format!(
            "--token-file {}: expected one line, found {}",
            file.display(),
            several.len()
        ))),
    }
}
