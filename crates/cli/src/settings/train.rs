//! What `promptsrc train` is asked for.

use std::path::{Path, PathBuf};

use promptsrc::methods::{Request, resolve_file};
use promptsrc::run_folder::{self, RunError};
use promptsrc::{Classes, ConfigError, Overrides, Preset, TrainConfig};

use super::clip::ClipSettings;
use super::data::DataSettings;
use super::files::{lines, refuse_file};
use crate::args::{Common, OverrideArgs, Shots, TrainArgs};
use crate::failure::Failure;

/// A training.
#[derive(Clone, Debug)]
pub struct TrainSettings {
    pub clip: ClipSettings,
    pub data: DataSettings,
    /// Shots per class; `None`: all images.
    pub shots: Option<usize>,
    pub seed: u64,
    /// Classes to learn.
    pub classes: Classes,
    /// Folder of the run.
    pub out: PathBuf,
    pub resume: bool,
    start: Start,
    overrides: Overrides,
}

/// The configuration that a training starts from.
#[derive(Clone, Debug)]
enum Start {
    Preset {
        method: String,
        preset: Option<Preset>,
    },
    File(Box<TrainConfig>),
}

impl TrainSettings {
    /// # Errors
    /// Whatever can be wrong before an image is read or a CLIP is downloaded.
    pub fn new(args: &TrainArgs, common: &Common) -> Result<Self, Failure> {
        let settings = Self {
            clip: ClipSettings::new(&args.clip, common)?,
            data: DataSettings::new(&args.data)?,
            shots: match args.shots {
                Shots::Some(shots) => Some(shots),
                Shots::All => None,
            },
            seed: args.seed,
            classes: args.classes,
            out: args.out.clone(),
            resume: args.resume,
            start: match &args.config {
                Some(path) => Start::File(Box::new(config_file(path)?)),
                None => Start::Preset {
                    method: args.method.clone(),
                    preset: args.preset,
                },
            },
            overrides: overrides(&args.overrides)?,
        };
        settings.config("")?;
        refuse_file("--out", &args.out, "a run")?;
        if !args.resume && run_folder::is_begun(&args.out) {
            let path = args.out.clone();
            return Err(RunError::Occupied { path }.into());
        }
        Ok(settings)
    }

    /// The configuration, once the name of the data set is known.
    pub fn config(&self, data_set: &str) -> Result<TrainConfig, Failure> {
        match &self.start {
            Start::File(config) => resolve_file((**config).clone(), self.seed, &self.overrides),
            Start::Preset { method, preset } => Request {
                method,
                preset: *preset,
                default_preset: Preset::BaseToNovel,
                is_mini: self.clip.is_mini(),
                data_set,
                shots: self.shots,
                seed: self.seed,
                overrides: &self.overrides,
            }
            .resolve(),
        }
        .map_err(config_usage)
    }
}

/// Settings that replace the preset's, with the contents of the file that they name.
pub fn overrides(args: &OverrideArgs) -> Result<Overrides, Failure> {
    Ok(Overrides {
        templates: args.templates.as_deref().map(lines).transpose()?,
        ..args.overrides.clone()
    })
}

/// What is wrong with a configuration, under the name of the option that sets it.
pub fn config_usage(error: ConfigError) -> Failure {
    let option = match &error {
        // These begin with the option's name.
        ConfigError::Zero { .. }
        | ConfigError::TooMany { .. }
        | ConfigError::OutOfRange { .. }
        | ConfigError::NoSuchSetting { .. }
        | ConfigError::NoAggregation { .. }
        | ConfigError::NoRegularisation { .. }
        | ConfigError::WordsUnused { .. }
        | ConfigError::WordCount { .. } => return Failure::usage(format!("--{error}")),
        ConfigError::Nesterov | ConfigError::TwoMethods { .. } | ConfigError::Parameters(_) => {
            return Failure::usage(error);
        }
        ConfigError::NoTemplates | ConfigError::Template { .. } => "--templates",
        ConfigError::NoWeight { .. } => "--gpa-mean and --gpa-std",
        ConfigError::ContextTooLong { .. } => "--text-context",
        ConfigError::FewWords { .. } | ConfigError::Vocabulary { .. } | ConfigError::Words(_) => {
            "--ctx-init"
        }
        ConfigError::UnknownMethod { .. } | ConfigError::NothingToTrain { .. } => "--method",
    };
    Failure::usage(format!("{option}: {error}"))
}

fn config_file(path: &Path) -> Result<TrainConfig, Failure> {
    #[derive(serde::Deserialize)]
    struct Sections {
        train: TrainConfig,
    }
    let failed = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
    let sections: Sections = toml::from_str(&text).map_err(|e| failed(&e))?;
    Ok(sections.train)
}
