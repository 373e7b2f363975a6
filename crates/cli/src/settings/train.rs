//! The settings of `promptsrc train`.

use std::path::{Path, PathBuf};

use promptsrc::methods::{Request, resolve_file};
use promptsrc::run_folder::{self, RunError};
use promptsrc::{Classes, ConfigError, MethodConfig, Overrides, Preset};

use super::clip::ClipSettings;
use super::data::DataSettings;
use super::files::{lines, refuse_file};
use crate::args::{Common, OverrideArgs, Shots, TrainArgs};
use crate::failure::Failure;
use crate::host::Host;

/// Folder of the event files of TensorBoard in that of a run.
const TENSORBOARD: &str = "tensorboard";

/// A training run.
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
    /// Folder for event files of TensorBoard.
    pub tensorboard: Option<PathBuf>,
    /// Whether few-shot images are drawn even where the reference saved some.
    pub ignore_few_shot_cache: bool,
    start: Start,
    overrides: Overrides,
    /// The program that has called the command.
    pub host: Option<Host>,
}

/// The base configuration of a training run.
#[derive(Clone, Debug)]
enum Start {
    Preset {
        method: String,
        preset: Option<Preset>,
    },
    File(Box<MethodConfig>),
}

impl TrainSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before an image is read or a
    /// CLIP is downloaded.
    pub fn new(args: &TrainArgs, common: &Common) -> Result<Self, Failure> {
        let settings = Self {
            clip: ClipSettings::new(&args.clip, common)?,
            data: DataSettings::new(&args.data, common)?,
            shots: match args.shots {
                Shots::Some(shots) => Some(shots),
                Shots::All => None,
            },
            seed: args.seed,
            classes: args.classes,
            out: args.out.clone(),
            resume: args.resume,
            tensorboard: (args.tensorboard.clone())
                .map(|folder| folder.unwrap_or_else(|| args.out.join(TENSORBOARD))),
            ignore_few_shot_cache: args.ignore_few_shot_cache,
            start: match &args.config {
                Some(path) => Start::File(Box::new(config_file(path)?)),
                None => Start::Preset {
                    method: args.method.clone(),
                    preset: args.preset,
                },
            },
            overrides: overrides(&args.overrides)?,
            host: common.host.clone(),
        };
        settings.config("")?;
        refuse_file("--out", &args.out, "a run")?;
        if let Some(folder) = &settings.tensorboard {
            refuse_file("--tensorboard", folder, "TensorBoard")?;
        }
        if !args.resume && run_folder::is_begun(&args.out) {
            let path = args.out.clone();
            return Err(RunError::Occupied { path }.into());
        }
        Ok(settings)
    }

    /// The configuration for a data set, or for an unknown one if the name is empty.
    pub fn config(&self, data_set: &str) -> Result<MethodConfig, Failure> {
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

/// The settings that replace the preset's, with the templates read from their file.
pub fn overrides(args: &OverrideArgs) -> Result<Overrides, Failure> {
    Ok(Overrides {
        templates: args.templates.as_deref().map(lines).transpose()?,
        ..args.overrides.clone()
    })
}

/// Turns a configuration error into a usage error that names the option.
pub fn config_usage(error: ConfigError) -> Failure {
    let option = match &error {
        // The messages of these start with the option's name.
        ConfigError::Zero { .. }
        | ConfigError::TooMany { .. }
        | ConfigError::OutOfRange { .. }
        | ConfigError::NoSuchSetting { .. }
        | ConfigError::NoAggregation { .. }
        | ConfigError::NoRegularisation { .. }
        | ConfigError::WordsUnused { .. }
        | ConfigError::WordsForEachClass
        | ConfigError::MoreWords { .. }
        | ConfigError::WordCount { .. } => return Failure::usage(format!("--{error}")),
        ConfigError::Nesterov
        | ConfigError::TwoMethods { .. }
        | ConfigError::Lacks { .. }
        | ConfigError::Parameters(_) => return Failure::usage(error),
        ConfigError::NoTemplates | ConfigError::Template { .. } => "--templates",
        ConfigError::NoWeight { .. } => "--gpa-mean and --gpa-std",
        ConfigError::ContextTooLong { .. } => "--text-context",
        ConfigError::FewWords { .. } | ConfigError::Vocabulary { .. } | ConfigError::Words(_) => {
            "--ctx-init"
        }
        ConfigError::UnknownMethod { .. }
        | ConfigError::NothingToTrain { .. }
        | ConfigError::NoPrompts { .. } => "--method",
    };
    Failure::usage(format!("{option}: {error}"))
}

fn config_file(path: &Path) -> Result<MethodConfig, Failure> {
    #[derive(serde::Deserialize)]
    struct Sections {
        train: MethodConfig,
    }
    let failed = |e: &dyn std::fmt::Display| Failure::failed(format!("{}: {e}", path.display()));
    let text = promptsrc_files::read_regular_text(path, promptsrc::run_folder::LARGEST_CONFIG)
        .map_err(|e| failed(&e))?;
    let sections: Sections = toml::from_str(&text).map_err(|e| failed(&e))?;
    Ok(sections.train)
}
