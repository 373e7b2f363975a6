//! The settings of `promptsrc export`.

use std::path::{Path, PathBuf};

use promptsrc::{OnnxOptions, OnnxTower, onnx_paths};

use super::adapter::{AdapterSource, only_of_checkpoints};
use super::clip::ClipSettings;
use super::files::refuse_file;
use super::names;
use super::output_file;
use crate::args::{Common, ExportModelArgs, ExportedTower};
use crate::failure::Failure;

/// An export.
#[derive(Clone, Debug)]
pub struct ExportSettings {
    pub what: Exported,
    pub options: OnnxOptions,
}

/// What is exported, and where.
#[derive(Clone, Debug)]
pub enum Exported {
    Adapter {
        source: Box<AdapterSource>,
        /// `None`: the class names that the adapter was trained on.
        names: Option<Vec<String>>,
        out: PathBuf,
    },
    ZeroShot {
        clip: ClipSettings,
        names: Vec<String>,
        templates: Vec<String>,
        out: PathBuf,
    },
    Towers {
        clip: ClipSettings,
        towers: Vec<(OnnxTower, PathBuf)>,
    },
}

impl ExportSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before a CLIP is downloaded.
    pub fn new(args: &ExportModelArgs, common: &Common) -> Result<Self, Failure> {
        let names = names::given(args.names.as_deref(), args.names_file.as_deref())?;
        let out = args.out.clone();
        let spec = args.clip.as_deref();
        let what = match (&args.run, names) {
            (Some(run), names) => {
                check_out(args, &[out.as_path()])?;
                let source = AdapterSource::new(run, spec, &args.checkpoint, common)?;
                Exported::Adapter {
                    // The graph computes in f32, and so should what is baked into it.
                    source: Box::new(source.in_f32(common)),
                    names,
                    out,
                }
            }
            (None, Some(names)) => {
                refuse_checkpoint_options(args)?;
                check_out(args, &[out.as_path()])?;
                Exported::ZeroShot {
                    clip: ClipSettings::new(spec.unwrap_or_default(), common)?.in_f32(common),
                    names,
                    templates: names::templates(&args.template)?,
                    out,
                }
            }
            (None, None) => {
                refuse_checkpoint_options(args)?;
                if !args.template.is_empty() {
                    return Err(Failure::usage(
                        "--template is filled with class names: give --names or --names-file",
                    ));
                }
                let towers = towers(args)?;
                let files: Vec<&Path> = towers.iter().map(|(_, file)| file.as_path()).collect();
                check_out(args, &files)?;
                Exported::Towers {
                    clip: ClipSettings::new(spec.unwrap_or_default(), common)?.in_f32(common),
                    towers,
                }
            }
        };
        let default = OnnxOptions::default();
        Ok(Self {
            what,
            options: OnnxOptions {
                weights: args.weights,
                external_above: args.external_above.unwrap_or(default.external_above),
            },
        })
    }
}

fn refuse_checkpoint_options(args: &ExportModelArgs) -> Result<(), Failure> {
    match args.checkpoint.given() {
        Some(option) => Err(only_of_checkpoints(option, "zero-shot CLIP has no prompts")),
        None => Ok(()),
    }
}

/// The towers, and the file of each.
fn towers(args: &ExportModelArgs) -> Result<Vec<(OnnxTower, PathBuf)>, Failure> {
    let out = &args.out;
    match args.tower.unwrap_or_default() {
        ExportedTower::Image => Ok(vec![(OnnxTower::Image, out.clone())]),
        ExportedTower::Text => Ok(vec![(OnnxTower::Text, out.clone())]),
        ExportedTower::Both => {
            if out.extension().is_some_and(|extension| extension == "onnx") {
                return Err(Failure::usage(format!(
                    "--out {}: without class names both towers are exported, as two files in a folder: \
                     give a folder, or --tower image or text for one file, or --names for a classifier",
                    out.display()
                )));
            }
            refuse_file("--out", out, "the export of both towers")?;
            Ok(vec![
                (OnnxTower::Image, out.join("vision_model.onnx")),
                (OnnxTower::Text, out.join("text_model.onnx")),
            ])
        }
    }
}

/// Fails if one of the files of these models must not be written.
fn check_out(args: &ExportModelArgs, models: &[&Path]) -> Result<(), Failure> {
    let mut inputs = output_file::paths(args.clip.as_deref());
    inputs.extend(args.run.iter().chain(&args.names_file).cloned());
    inputs.extend(args.checkpoint.training_names.clone());
    for model in models {
        let files = onnx_paths(model).map_err(|e| Failure::usage(format!("--out {e}")))?;
        for file in files {
            output_file::check("--out ", &file, args.force, &inputs)?;
        }
    }
    Ok(())
}
