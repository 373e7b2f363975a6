//! The settings of `promptsrc eval`.

use std::path::PathBuf;

use promptsrc::{Classes, Parts};
use promptsrc_clip::templates;

use super::adapter::{AdapterSource, only_of_checkpoints};
use super::calibration::CalibrationSettings;
use super::clip::ClipSettings;
use super::data::DataSettings;
use super::files::refuse_file;
use super::{names, output_file};
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
    pub calibration: CalibrationSettings,
    pub unknown: Option<UnknownImages>,
    /// File for the logits.
    pub logits: Option<PathBuf>,
    /// Folder for the tables as files.
    pub report_dir: Option<PathBuf>,
}

/// Images of unknown classes.
#[derive(Clone, Debug)]
pub struct UnknownImages {
    pub data: DataSettings,
    pub classes: Classes,
    /// Part of them; all, as one, where they are another data set.
    pub part: Parts,
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
        let file = match &what {
            Evaluated::Adapter(source) => Some(source.file()),
            Evaluated::ZeroShot { .. } => None,
        };
        let calibration = CalibrationSettings::new(&args.calibration, false, file)?;
        let unknown = unknown_images(args, common)?;
        if args.force && args.report_dir.is_none() && args.logits.is_none() {
            return Err(Failure::usage(
                "--force replaces files of --report-dir and --logits, and neither is given",
            ));
        }
        if let Some(path) = &args.logits {
            output_file::check("--logits ", path, args.force, &output_file::paths(None))?;
        }
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
            calibration,
            unknown,
            logits: args.logits.clone(),
        })
    }
}

fn unknown_images(args: &EvalArgs, common: &Common) -> Result<Option<UnknownImages>, Failure> {
    let classes = args.unknown_classes.unwrap_or_default();
    let mut given = args.data.clone();
    let part = match (&args.unknown_data, args.unknown_classes) {
        (None, None) => return Ok(None),
        (Some(path), _) => {
            given.data = path.clone();
            // These say how --data is laid out.
            (given.more.split, given.more.class_names) = (None, None);
            Parts::All
        }
        (None, Some(Classes::All)) => {
            return Err(Failure::usage(
                "--unknown-classes all: without --unknown-data these are the classes of --data, of which some \
                 are known; give novel with --classes base, or base with --classes novel",
            ));
        }
        (None, Some(classes)) if args.classes == Classes::All || args.classes == classes => {
            return Err(Failure::usage(format!(
                "--unknown-classes {classes}: they are among the classes of --classes {}",
                args.classes
            )));
        }
        (None, Some(_)) => args.part,
    };
    let host = common
        .host
        .as_ref()
        .is_some_and(|host| host.dataset.is_some());
    if host && args.unknown_data.is_some() {
        return Err(Failure::usage(
            "--unknown-data needs --data, not images in memory",
        ));
    }
    let mut data = DataSettings::new(&given, common)?;
    data.parts_as_one = part == Parts::All;
    Ok(Some(UnknownImages {
        data,
        classes,
        part,
    }))
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
