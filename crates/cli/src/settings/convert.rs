//! The settings of `promptsrc convert`.

use std::path::{Path, PathBuf};

use promptsrc::{Adapter, run_folder};
use promptsrc_reference::checkpoint::{
    Form, ReferenceCheckpoint, ReferenceCheckpointError, Supplement,
};

use super::adapter::{adapter_at, of_adapter, supplement};
use super::clip::ClipSettings;
use super::files::lines;
use super::output_file;
use crate::args::{Common, ConvertArgs};
use crate::failure::Failure;
use crate::reference_files;

/// A conversion.
#[derive(Clone, Debug)]
pub struct ConvertSettings {
    /// The CLIP that the prompts belong to.
    pub clip: Option<ClipSettings>,
    /// Whether existing files are replaced.
    pub force: bool,
    pub what: Conversion,
}

/// What is converted to what.
#[derive(Clone, Debug)]
pub enum Conversion {
    ToAdapter {
        checkpoint: Box<ReferenceCheckpoint>,
        /// The information that the options add to it.
        supplement: Box<Supplement>,
        output: PathBuf,
    },
    ToCheckpoint {
        adapter: Box<Adapter>,
        input: PathBuf,
        output: PathBuf,
        epoch: usize,
    },
}

impl ConvertSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before a CLIP is downloaded.
    pub fn new(args: &ConvertArgs, common: &Common) -> Result<Self, Failure> {
        let clip = args.clip.as_deref();
        Ok(Self {
            what: match reference_files::checkpoint_at(&args.input, args.epoch)? {
                Some(checkpoint) => to_adapter(&checkpoint, args)?,
                None => to_checkpoint(args)?,
            },
            clip: clip
                .map(|spec| ClipSettings::new(spec, common))
                .transpose()?,
            force: args.force,
        })
    }
}

fn to_adapter(path: &Path, args: &ConvertArgs) -> Result<Conversion, Failure> {
    let output = adapter_output(&args.output)?;
    let inputs = [Some(&args.input), args.class_names.as_ref()];
    let inputs: Vec<_> = inputs.into_iter().flatten().collect();
    output_file::check("", &output, true, &inputs)?;
    if !args.force && output.exists() {
        return Err(occupied(ReferenceCheckpointError::Occupied {
            path: output,
        }));
    }
    let checkpoint = ReferenceCheckpoint::open(path)?;
    // A checkpoint file contains one epoch, which --epoch cannot change.
    if let (Some(asked), Some(found)) = (args.epoch, checkpoint.epoch)
        && asked != found
    {
        return Err(Failure::usage(format!(
            "--epoch {asked}: {} is a checkpoint of epoch {found}",
            path.display()
        )));
    }
    let names = args.class_names.as_deref().map(lines).transpose()?;
    let supplement = Supplement {
        preset: args.preset,
        ..supplement(&args.checkpoint, names)
    };
    Ok(Conversion::ToAdapter {
        checkpoint: Box::new(checkpoint),
        supplement: Box::new(supplement),
        output,
    })
}

fn to_checkpoint(args: &ConvertArgs) -> Result<Conversion, Failure> {
    let others = [
        ("--class-names", args.class_names.is_some()),
        ("--preset", args.preset.is_some()),
    ];
    let (input, _) = adapter_at(&args.input)?;
    let other = others.into_iter().find(|(_, given)| *given);
    if let Some(option) = args.checkpoint.given().or(other.map(|(option, _)| option)) {
        return Err(of_adapter(option, &input));
    }
    let adapter = Adapter::load(&input)?;
    if args.output.is_file() {
        return Err(Failure::usage(format!(
            "{} is a file: a checkpoint is written into a folder, as {}/model.pth.tar-N",
            args.output.display(),
            Form::of_method(&adapter.meta.method).map_or("FOLDER", Form::folder)
        )));
    }
    Ok(Conversion::ToCheckpoint {
        epoch: args.epoch.unwrap_or(adapter.meta.config.epochs()),
        adapter: Box::new(adapter),
        input,
        output: args.output.clone(),
    })
}

/// The adapter file to write; in a folder it has the default name.
fn adapter_output(path: &Path) -> Result<PathBuf, Failure> {
    if path.is_dir() {
        return Ok(path.join(run_folder::ADAPTER));
    }
    match path.extension() {
        Some(extension) if extension == "safetensors" => Ok(path.to_path_buf()),
        _ => Err(Failure::usage(format!(
            "{}: an adapter is written to a file NAME.safetensors, or into an existing folder",
            path.display()
        ))),
    }
}

/// Adds to the error of an existing file how to replace it.
pub fn occupied(error: ReferenceCheckpointError) -> Failure {
    match error {
        ReferenceCheckpointError::Occupied { path } => Failure::failed(format!(
            "{} already exists: give --force to replace it, or choose another path",
            path.display()
        )),
        other => other.into(),
    }
}
