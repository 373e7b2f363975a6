//! `promptsrc convert`: checkpoints of the Python reference to adapters, and adapters to checkpoints.

use std::path::{Path, PathBuf};

use promptsrc::{Adapter, run_folder};
use promptsrc_reference::checkpoint::{
    self, ReferenceCheckpoint, ReferenceCheckpointError, Supplement,
};
use serde::Serialize;

use crate::args::{Common, ConvertArgs};
use crate::failure::Failure;
use crate::output::Printer;
use crate::resolve;

/// What was converted to what.
#[derive(Serialize)]
struct Converted {
    /// "adapter" or "reference checkpoint".
    kind: &'static str,
    input: String,
    output: String,
    method: String,
    epoch: Option<usize>,
    parameters: usize,
    /// How the result is used.
    hint: String,
}

pub fn run(args: &ConvertArgs, common: &Common, printer: &Printer) -> Result<(), Failure> {
    let converted = match resolve::checkpoint_at(&args.input, args.epoch)? {
        Some(checkpoint) => to_adapter(&checkpoint, args, common, printer)?,
        None => to_checkpoint(args, common, printer)?,
    };
    let Converted {
        kind,
        output,
        method,
        parameters,
        hint,
        ..
    } = &converted;
    printer.answer(&converted, || {
        format!("{output}: {kind} of {method}, {parameters} values\n{hint}")
    })
}

fn to_adapter(
    path: &Path,
    args: &ConvertArgs,
    common: &Common,
    printer: &Printer,
) -> Result<Converted, Failure> {
    let output = adapter_output(&args.output)?;
    refuse_to_replace(&output, args.force)?;
    let checkpoint = ReferenceCheckpoint::open(path)?;
    // A file is of one epoch, which an option cannot change.
    if let (Some(asked), Some(found)) = (args.epoch, checkpoint.epoch)
        && asked != found
    {
        return Err(Failure::usage(format!(
            "--epoch {asked}: {} is of epoch {found}",
            path.display()
        )));
    }
    resolve::warn_of_unfinished(&checkpoint, printer);
    let class_names = args
        .class_names
        .as_deref()
        .map(resolve::lines)
        .transpose()?;
    let clip = match &args.clip {
        Some(spec) => Some(resolve::clip(spec, common, printer)?),
        None => None,
    };
    let record = match &clip {
        Some(clip) => Some((
            clip.record()?,
            promptsrc::train::preprocessing_record(&clip.clip),
        )),
        None => None,
    };
    let supplement = Supplement {
        method: args.method,
        ctx_init: args.ctx_init.clone(),
        class_names,
        clip: record,
        preset: args.preset,
        log: resolve::checkpoint_log(path, printer),
    };
    let adapter = checkpoint.adapter(&supplement).map_err(usage)?;
    if let (Some(names), Some(classes)) = (&supplement.class_names, checkpoint.classes)
        && names.len() != classes
    {
        return Err(usage(ReferenceCheckpointError::ClassCount {
            path: path.into(),
            expected: classes,
            found: names.len(),
        }));
    }
    if let Some(clip) = &clip {
        fits(path, &adapter, clip)?;
        if let Some(record) = &checkpoint.record {
            resolve::warn_of_other_weights(path, &record.clip, clip, printer)?;
        }
        let prompt_prefix = adapter.meta.config.prompt_lead();
        checkpoint
            .check_texts(&clip.clip, &prompt_prefix, &adapter.meta.class_names)
            .map_err(usage)?;
    }
    adapter.save(&output)?;
    let clip = args.clip.as_deref().unwrap_or("CLIP");
    Ok(Converted {
        kind: "adapter",
        input: path.display().to_string(),
        output: output.display().to_string(),
        method: adapter.meta.method.to_string(),
        epoch: checkpoint.epoch,
        parameters: adapter.prompts.parameters(),
        hint: format!(
            "use it: promptsrc eval {} --clip {clip} --data ...",
            output.display()
        ),
    })
}

fn to_checkpoint(
    args: &ConvertArgs,
    common: &Common,
    printer: &Printer,
) -> Result<Converted, Failure> {
    let of_checkpoints = [
        ("--class-names", args.class_names.is_some()),
        ("--ctx-init", args.ctx_init.is_some()),
        ("--method", args.method.is_some()),
        ("--preset", args.preset.is_some()),
    ];
    let (path, _) = resolve::adapter_at(&args.input)?;
    if let Some((option, _)) = of_checkpoints.iter().find(|(_, given)| *given) {
        return Err(Failure::usage(format!(
            "{option} is for checkpoints: {} is an adapter, which records it",
            path.display()
        )));
    }
    if args.output.is_file() {
        return Err(Failure::usage(format!(
            "{} is a file: a checkpoint is written into a folder, as {}/model.pth.tar-N",
            args.output.display(),
            checkpoint::FOLDER
        )));
    }
    let adapter = Adapter::load(&path)?;
    if let Some(spec) = &args.clip {
        let clip = resolve::clip(spec, common, printer)?;
        fits(&path, &adapter, &clip)?;
        resolve::warn_of_other_weights(&path, &adapter.meta.clip, &clip, printer)?;
    }
    let epoch = args.epoch.unwrap_or(adapter.meta.config.epochs);
    let saved = checkpoint::save(&adapter, &args.output, epoch, args.force).map_err(occupied)?;
    let folder = match args.output.file_name() {
        Some(name) if name == checkpoint::FOLDER => args.output.join(".."),
        _ => args.output.clone(),
    };
    Ok(Converted {
        kind: "reference checkpoint",
        input: path.display().to_string(),
        output: saved.file.display().to_string(),
        method: adapter.meta.method.to_string(),
        epoch: Some(saved.epoch),
        parameters: adapter.prompts.parameters(),
        hint: format!(
            "load it in the reference: --eval-only --model-dir {} --load-epoch {}",
            folder.display(),
            saved.epoch
        ),
    })
}

/// The adapter file to write; in a folder it has its usual name.
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

fn refuse_to_replace(path: &Path, force: bool) -> Result<(), Failure> {
    match !force && path.exists() {
        true => Err(occupied(ReferenceCheckpointError::Occupied {
            path: path.into(),
        })),
        false => Ok(()),
    }
}

fn occupied(error: ReferenceCheckpointError) -> Failure {
    match error {
        ReferenceCheckpointError::Occupied { path } => Failure::failed(format!(
            "{} exists already: give --force to replace it, or choose another path",
            path.display()
        )),
        other => other.into(),
    }
}

fn fits(path: &Path, adapter: &Adapter, clip: &resolve::LoadedClip) -> Result<(), Failure> {
    adapter
        .prompts
        .check_for(&clip.clip)
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))
}

/// Errors that are due to an option, missing or wrong, are wrong usage.
fn usage(error: ReferenceCheckpointError) -> Failure {
    match &error {
        ReferenceCheckpointError::MissingInformation { .. } => Failure::usage(error),
        ReferenceCheckpointError::ClassCount { .. }
        | ReferenceCheckpointError::OtherText { .. } => {
            Failure::usage(format!("--class-names, --ctx-init: {error}"))
        }
        ReferenceCheckpointError::OtherPrefix { .. } => {
            Failure::usage(format!("--ctx-init: {error}"))
        }
        _ => error.into(),
    }
}
