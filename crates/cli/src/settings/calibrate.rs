//! The settings of `promptsrc calibrate`.

use std::path::PathBuf;

use promptsrc::calibration::{Calibration, CalibrationOptions, Raps, SetMethod};
use promptsrc::{Classes, Parts};

use super::adapter::{AdapterSource, only_of_checkpoints};
use super::clip::ClipSettings;
use super::data::DataSettings;
use super::eval::{Evaluated, ZeroShotTemplates};
use super::output_file;
use crate::args::{CalibrateArgs, Common, TemplatesArg};
use crate::failure::Failure;

/// A calibration to make.
#[derive(Clone, Debug)]
pub struct CalibrateSettings {
    pub data: DataSettings,
    /// `None`: those of the training, if these are a choice of the data set's.
    pub classes: Option<Classes>,
    pub part: Parts,
    pub what: Evaluated,
    pub options: CalibrationOptions,
    pub out: PathBuf,
}

impl CalibrateSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before an image is read or a
    /// CLIP is downloaded.
    pub fn new(args: &CalibrateArgs, common: &Common) -> Result<Self, Failure> {
        if let (true, Some(option)) = (args.zero_shot, args.checkpoint.given()) {
            return Err(only_of_checkpoints(option, "zero-shot CLIP has no prompts"));
        }
        if args.part == Parts::Test {
            return Err(Failure::usage(
                "--part test: what is tested must not be calibrated on, or its figures mean nothing; take val, \
                 or train, whose trained images are left out",
            ));
        }
        let mut data = DataSettings::new(&args.data, common)?;
        data.parts_as_one = args.part == Parts::All;
        let sets = args.sets.clone();
        if let Some(twice) = sets
            .iter()
            .enumerate()
            .find(|(at, m)| sets[..*at].contains(m))
        {
            return Err(Failure::usage(format!("--sets names {} twice", twice.1)));
        }
        if args.raps_lambda.is_some() && !sets.contains(&SetMethod::Raps) {
            return Err(Failure::usage(
                "--raps-lambda and --raps-k are settings of RAPS, which --sets does not name",
            ));
        }
        let raps = match args.raps_lambda.zip(args.raps_k) {
            Some((lambda, k)) => {
                let raps = Raps::new(lambda, k);
                Some(raps.map_err(|e| Failure::usage(format!("--raps-lambda: {e}")))?)
            }
            None => None,
        };
        let (what, file) = match &args.run {
            Some(run) => {
                let source =
                    AdapterSource::new(run, args.clip.as_deref(), &args.checkpoint, common)?;
                let file = source.file().to_path_buf();
                (Evaluated::Adapter(source), Some(file))
            }
            None => {
                let clip = ClipSettings::new(args.clip.as_deref().unwrap_or_default(), common)?;
                let templates = ZeroShotTemplates::new(
                    args.templates.unwrap_or(TemplatesArg::Single),
                    &args.template,
                )?;
                (Evaluated::ZeroShot { clip, templates }, None)
            }
        };
        let beside = file.as_deref().map(Calibration::path_beside);
        let Some(out) = args.out.clone().or(beside) else {
            return Err(Failure::usage("--zero-shot needs --out"));
        };
        let inputs = output_file::paths(args.clip.as_deref());
        let inputs: Vec<PathBuf> = inputs
            .into_iter()
            .filter(|path| !path.is_dir())
            .chain(file)
            .collect();
        output_file::check("", &out, args.force, &inputs)?;
        Ok(Self {
            data,
            classes: args.classes,
            part: args.part,
            what,
            options: CalibrationOptions {
                sets,
                raps,
                coverage: args.coverage,
                class_conditional: args.class_conditional,
                unknown: args.unknown_score,
                keep: args.keep,
            },
            out,
        })
    }
}
