//! The settings of `promptsrc eval`.

use std::path::PathBuf;

use promptsrc::{Classes, Parts};
use promptsrc_clip::templates;

use super::adapter::{AdapterSource, only_of_checkpoints};
use super::clip::ClipSettings;
use super::data::DataSettings;
use super::files::refuse_file;
use super::names;
use crate::args::{Common, EvalArgs, TemplatesArg};
use crate::evaluation_files;
use crate::failure::Failure;

/// An evaluation.
#[derive(Clone, Debug)]
pub struct EvalSettings {
    pub data: DataSettings,
    pub classes: Classes,
    pub part: Parts,
    pub what: Evaluated,
    /// Folder for the tables as files.
    pub report_dir: Option<PathBuf>,
}

/// What is evaluated.
#[derive(Clone, Debug)]
pub enum Evaluated {
    Adapter(AdapterSource),
    ZeroShot {
        clip: ClipSettings,
        templates: ZeroShotTemplates,
    },
}

/// Templates of zero-shot CLIP.
#[derive(Clone, Debug)]
pub enum ZeroShotTemplates {
    /// The given templates.
    Given(Vec<String>),
    /// The templates with a name, which may depend on the data set.
    Named(TemplatesArg),
}

impl EvalSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before an image is read or a
    /// CLIP is downloaded.
    pub fn new(args: &EvalArgs, common: &Common) -> Result<Self, Failure> {
        if let (true, Some(option)) = (args.zero_shot, args.checkpoint.given()) {
            return Err(only_of_checkpoints(option, "zero-shot CLIP has no prompts"));
        }
        let mut data = DataSettings::new(&args.data, common)?;
        data.parts_as_one = args.part == Parts::All;
        let what = match &args.run {
            Some(run) => Evaluated::Adapter(AdapterSource::new(
                run,
                args.clip.as_deref(),
                &args.checkpoint,
                common,
            )?),
            None => Evaluated::ZeroShot {
                clip: ClipSettings::new(args.clip.as_deref().unwrap_or_default(), common)?,
                templates: ZeroShotTemplates::new(
                    args.templates.unwrap_or(TemplatesArg::Single),
                    &args.template,
                )?,
            },
        };
        if let Some(folder) = &args.report_dir {
            refuse_file("--report-dir", folder, "it")?;
            evaluation_files::check(folder, args.force)?;
        }
        Ok(Self {
            report_dir: args.report_dir.clone(),
            data,
            classes: args.classes,
            part: args.part,
            what,
        })
    }
}

impl ZeroShotTemplates {
    /// The given templates, or else those with a name.
    ///
    /// # Errors
    /// [`Failure`] if a template cannot be used.
    pub fn new(named: TemplatesArg, given: &[String]) -> Result<Self, Failure> {
        if given.is_empty() {
            return Ok(Self::Named(named));
        }
        names::check_templates(given)?;
        Ok(Self::Given(given.to_vec()))
    }

    /// The templates for a data set.
    pub fn of(&self, data_set: &str) -> Result<Vec<String>, Failure> {
        let named = match self {
            Self::Given(templates) => return Ok(templates.clone()),
            Self::Named(named) => named,
        };
        let own = templates::data_set_template(data_set);
        let templates: Vec<&str> = match named {
            TemplatesArg::Single => vec![templates::PHOTO],
            TemplatesArg::DataSet => match own {
                Some(own) => vec![own],
                None => {
                    return Err(Failure::usage(format!(
                        "no template is known for the data set {data_set:?}: give one with \
                         --template"
                    )));
                }
            },
            // As in the reference, the data set's own template is added to the seven, except for
            // ImageNet.
            TemplatesArg::Ensemble => {
                let own = own.filter(|_| !data_set.eq_ignore_ascii_case("imagenet"));
                templates::SELECT.into_iter().chain(own).collect()
            }
        };
        Ok(templates.into_iter().map(str::to_string).collect())
    }
}
