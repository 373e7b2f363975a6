//! `promptsrc convert`: converts checkpoints of the Python reference to adapters, and adapters to
//! checkpoints.

use std::path::Path;

use promptsrc::{Adapter, Clip};
use promptsrc_reference::checkpoint::{
    self, ReferenceCheckpoint, ReferenceCheckpointError, Supplement,
};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::reference_files;
use crate::settings::{Conversion, ConvertSettings, check_for, occupied, warn_of_other_weights};

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

pub fn run(settings: ConvertSettings, printer: &Printer) -> Result<(), Failure> {
    let ConvertSettings { clip, force, what } = settings;
    let spec = clip.as_ref().map(|clip| clip.spec.clone());
    let open = || clip.as_ref().map(|clip| clip.open(printer)).transpose();
    let converted = match what {
        Conversion::ToAdapter {
            checkpoint,
            supplement,
            output,
        } => {
            reference_files::warn_of_unfinished(&checkpoint, printer);
            let adapter = to_adapter(&checkpoint, *supplement, open()?.as_ref(), printer)?;
            adapter.save(&output)?;
            Converted {
                kind: "adapter",
                input: checkpoint.path.display().to_string(),
                output: output.display().to_string(),
                method: adapter.meta.method.clone(),
                epoch: checkpoint.epoch,
                parameters: adapter.parameters.count(),
                hint: format!(
                    "use it: promptsrc eval {} --clip {} --data ...",
                    output.display(),
                    spec.as_deref().unwrap_or("CLIP")
                ),
            }
        }
        Conversion::ToCheckpoint {
            adapter,
            input,
            output,
            epoch,
        } => {
            if let Some(clip) = open()? {
                check_for(&adapter, &clip, &input)?;
                warn_of_other_weights(&input, &adapter.meta.clip, &clip, printer);
            }
            if adapter.meta.data.exif {
                printer.warning(&format!(
                    "{} was trained on images turned by their EXIF orientation, but the reference \
                     uses images as they are stored: turn them before it reads them",
                    input.display()
                ));
            }
            let saved = checkpoint::save(&adapter, &output, epoch, force).map_err(occupied)?;
            // The folder of the run, above the one that the trainer saves in.
            let folder = match saved.file.parent() {
                Some(inner) if inner == output => output.join(".."),
                _ => output,
            };
            Converted {
                kind: "reference checkpoint",
                input: input.display().to_string(),
                output: saved.file.display().to_string(),
                method: adapter.meta.method.clone(),
                epoch: Some(saved.epoch),
                parameters: adapter.parameters.count(),
                hint: format!(
                    "load it in the reference: --eval-only --model-dir {} --load-epoch {}",
                    folder.display(),
                    saved.epoch
                ),
            }
        }
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
    checkpoint: &ReferenceCheckpoint,
    supplement: Supplement,
    clip: Option<&Clip>,
    printer: &Printer,
) -> Result<Adapter, Failure> {
    let path: &Path = &checkpoint.path;
    let supplement = Supplement {
        clip: clip.map(|clip| (clip.record().clone(), clip.preprocessing_record())),
        log: reference_files::log_of(path, printer),
        ..supplement
    };
    let assumed = checkpoint.assumptions(&supplement);
    if assumed.class_position {
        reference_files::note_assumed_position(path, printer);
    }
    if let Some(method) = assumed.method {
        printer.note(&format!(
            "{} does not say which method it is of: assumed {method} (--method)",
            path.display()
        ));
    }
    let usage = |error| reference_files::usage(error, "--class-names");
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
    if let Some(clip) = clip {
        check_for(&adapter, clip, path)?;
        if let Some(record) = &checkpoint.record {
            warn_of_other_weights(path, &record.clip, clip, printer);
        }
        let prompt_prefix = adapter.meta.prompt_model()?.prompt_prefix();
        checkpoint
            .check_texts(clip, &prompt_prefix, &adapter.meta.class_names)
            .map_err(usage)?;
    }
    Ok(adapter)
}
