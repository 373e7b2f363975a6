//! The settings of `promptsrc predict`.

use std::collections::HashSet;
use std::path::PathBuf;

use super::adapter::AdapterSource;
use super::clip::ClipSettings;
use super::files::{images, lines};
use crate::args::{Common, PredictArgs};
use crate::failure::Failure;

/// A prediction.
#[derive(Clone, Debug)]
pub struct PredictSettings {
    pub images: Vec<PathBuf>,
    pub what: Predicting,
    /// Number of class names to print per image.
    pub top_k: usize,
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
    },
}

impl PredictSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before an image is read or a
    /// CLIP is downloaded.
    pub fn new(args: &PredictArgs, common: &Common) -> Result<Self, Failure> {
        let names = names(args)?;
        let (inputs, what) = if args.zero_shot {
            let Some(names) = names else {
                return Err(Failure::usage(
                    "--zero-shot needs class names: --names or --names-file",
                ));
            };
            let clip = ClipSettings::new(args.clip.as_deref().unwrap_or_default(), common)?;
            (args.inputs.as_slice(), Predicting::ZeroShot { clip, names })
        } else {
            let run_and_images = args.inputs.split_first();
            let Some((run, inputs)) = run_and_images.filter(|(_, images)| !images.is_empty())
            else {
                return Err(Failure::usage(
                    "give the run and at least one image: predict RUN IMAGE...",
                ));
            };
            let source = AdapterSource::new(run, args.clip.as_deref(), common)?;
            (inputs, Predicting::Adapter { source, names })
        };
        Ok(Self {
            images: images(inputs)?,
            what,
            top_k: args.top_k,
        })
    }
}

fn names(args: &PredictArgs) -> Result<Option<Vec<String>>, Failure> {
    let (option, names) = match (&args.names, &args.names_file) {
        (Some(list), _) => (
            "--names",
            list.split(',')
                .map(|n| n.trim().to_string())
                .collect::<Vec<_>>(),
        ),
        (None, Some(file)) => ("--names-file", lines(file)?),
        (None, None) => return Ok(None),
    };
    if names.iter().any(String::is_empty) {
        return Err(Failure::usage(format!(
            "{option} contains an empty class name"
        )));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = names.iter().find(|n| !seen.insert(n.as_str())) {
        return Err(Failure::usage(format!(
            "{option} contains the class name {twice:?} twice"
        )));
    }
    Ok(Some(names))
}
