//! `promptsrc inspect`: prints what a weight, adapter, run or checkpoint file contains, or what the
//! machine has.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use promptsrc::calibration::Calibration;
use promptsrc::records::PreprocessingRecord;
use promptsrc::{
    Adapter, Machine, Parameters, is_mini, machines_in_words, machines_of_training, run_folder,
};
use promptsrc_clip::ClipWeights;
use promptsrc_clip::weights::WeightOptions;
use promptsrc_files::tensor_file;
use promptsrc_files::tensor_file::TensorFileError;
use promptsrc_reference::checkpoint::{
    PromptsError, ReferenceCheckpoint, ReferenceCheckpointError,
};
use serde_json::{Value, json};

use crate::args::{Common, InspectArgs};
use crate::failure::Failure;
use crate::output::Printer;
use crate::reference_files;

use super::machine;

/// Key of the machines of a run.
const TRAINED_ON: &str = "trained_on";

pub fn run(args: &InspectArgs, common: &Common, printer: &Printer) -> Result<(), Failure> {
    let found = match &args.file {
        Some(file) => inspect(file, &common.weights())?,
        None => machine::describe()?,
    };
    printer.answer(&found, || text(&found))
}

fn inspect(path: &Path, options: &WeightOptions) -> Result<Value, Failure> {
    if path.to_str().is_some_and(is_mini) {
        return describe(&promptsrc_world::mini_clip()?);
    }
    if path.is_dir() {
        let names = [run_folder::STATE, run_folder::ADAPTER, run_folder::CONFIG];
        if names.iter().any(|name| path.join(name).exists()) {
            return run_summary(path);
        }
        return match reference_files::checkpoint_at(path, None)? {
            Some(file) => inspect(&file, options),
            None => weights(path, options),
        };
    }
    let start = beginning(path)?;
    if path.extension().is_some_and(|e| e == "toml") {
        let config = run_folder::read_config(path)?;
        return Ok(json!({ "kind": "run configuration", "config": config }));
    }
    let name = path.file_name().unwrap_or_default();
    if name.to_string_lossy().ends_with(run_folder::CALIBRATION) {
        return calibration(path);
    }
    // A safetensors file starts with the length of its JSON header.
    if start.get(8) == Some(&b'{') {
        return match tensor_file::record(path) {
            Ok(Some(record)) if record.get("class_names").is_some() => adapter(path),
            Ok(Some(record)) if record.get("epoch").is_some() => state(path),
            Ok(Some(record)) if record.get("images").is_some() => {
                Ok(json!({ "kind": "features", "record": record }))
            }
            // For a damaged file, the weight reader has a better message.
            Ok(_) | Err(TensorFileError::Format { .. }) => weights(path, options),
            Err(error) => Err(error.into()),
        };
    }
    // A checkpoint of the reference also contains a complete CLIP, with different tensor names.
    match ReferenceCheckpoint::open(path) {
        Ok(checkpoint) => Ok(json!({
            "kind": "reference checkpoint",
            "method": checkpoint.method,
            "method_of": checkpoint.method.is_none().then(|| checkpoint.form.methods()),
            "class_specific": checkpoint.is_class_specific().then_some(true),
            "epoch": checkpoint.epoch,
            "epochs": checkpoint.epochs,
            "classes": checkpoint.classes,
            "clip": checkpoint.clip.as_ref().map(|clip| json!({
                "shape_of": clip.name(),
                "embed_dim": clip.embed_dim,
                "vision": clip.vision,
                "text": clip.text,
                "resolution": clip.resolution,
            })),
            "settings": checkpoint.optim.iter().cloned().collect::<BTreeMap<_, _>>(),
            "record": checkpoint.record,
            "parameters": checkpoint.prompts.count(),
            "prompts": prompts(&checkpoint.prompts),
        })),
        Err(
            error @ (ReferenceCheckpointError::Code { .. }
            | ReferenceCheckpointError::TwoClassCounts { .. }
            | ReferenceCheckpointError::Record { .. }
            | ReferenceCheckpointError::Version { .. }),
        ) => Err(error.into()),
        Err(ReferenceCheckpointError::Prompts { path, source }) if source != PromptsError::None => {
            Err(ReferenceCheckpointError::Prompts { path, source }.into())
        }
        Err(_) => weights(path, options),
    }
}

/// A calibration, but for its scores and the hashes of its images.
fn calibration(path: &Path) -> Result<Value, Failure> {
    let found = Calibration::load(path)?;
    let record = found.record();
    let sets = record.sets.iter();
    let sets =
        sets.map(|of| json!({ "method": of.method, "raps": of.raps, "chosen_on": of.chosen_on }));
    Ok(json!({
        "kind": "calibration",
        "program": record.program,
        "data": record.data.name,
        "part": record.data.part,
        "classes": record.data.classes,
        "images": record.data.images,
        "temperature": record.temperature,
        "coverage": record.coverage,
        "class_conditional": record.class_conditional,
        "sets": sets.collect::<Vec<_>>(),
        "unknown": record.unknown,
        "subject": record.subject,
    }))
}

fn beginning(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut start = Vec::new();
    promptsrc_files::open_regular(path)
        .and_then(|file| file.take(16).read_to_end(&mut start))
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))?;
    Ok(start)
}

fn weights(path: &Path, options: &WeightOptions) -> Result<Value, Failure> {
    describe(&ClipWeights::open_with(path, options)?)
}

fn describe(weights: &ClipWeights) -> Result<Value, Failure> {
    let config = weights.config();
    let tensors: Vec<Value> = weights
        .names()
        .map(|name| {
            let dtype = weights.dtype(name).map(|d| format!("{d:?}").to_lowercase());
            json!({ "name": name, "shape": weights.shape(name), "dtype": dtype })
        })
        .collect();
    let parameters: usize = weights
        .names()
        .filter_map(|n| weights.shape(n))
        .map(|s| s.iter().product::<usize>())
        .sum();
    Ok(json!({
        "kind": "CLIP weights",
        "file": weights.path().display().to_string(),
        "format": weights.format().to_string(),
        "parameters": parameters,
        "embed_dim": config.embed_dim,
        "vision": {
            "width": config.vision.width,
            "layers": config.vision.layers,
            "heads": config.vision.heads,
            "patch_size": config.vision.patch_size,
            "resolution": config.vision.resolution,
        },
        "text": {
            "width": config.text.width,
            "layers": config.text.layers,
            "heads": config.text.heads,
            "context_length": config.text.context_length,
            "vocab_size": config.text.vocab_size,
        },
        "activation": config.activation,
        "layer_norm_eps": config.layer_norm_eps,
        "preprocessing": PreprocessingRecord::of(&config.preprocess),
        "fingerprint": weights.fingerprint()?,
        "notes": weights.notes(),
        "tensors": tensors,
    }))
}

fn adapter(path: &Path) -> Result<Value, Failure> {
    let adapter = Adapter::load(path)?;
    let mut record = json!(adapter.meta);
    // A converted checkpoint does not say how many images it was trained on; the seed and the name
    // of its data are known only from a log.
    let data = &adapter.meta.data;
    if data.images == 0 {
        record["data"]["images"] = "unknown".into();
        if data.name.is_empty() {
            record["data"]["name"] = "unknown".into();
            record["data"]["seed"] = "unknown".into();
        }
    }
    Ok(json!({
        "kind": "adapter",
        "parameters": adapter.parameters.count(),
        "record": record,
        "prompts": prompts(&adapter.parameters),
    }))
}

fn state(path: &Path) -> Result<Value, Failure> {
    let state = run_folder::read_state(path)?;
    Ok(json!({
        "kind": "state of a run",
        "epoch": state.epoch,
        "step": (state.step > 0).then_some(state.step),
        "parameters": state.parameters.count(),
        "prompts": prompts(&state.parameters),
    }))
}

fn run_summary(path: &Path) -> Result<Value, Failure> {
    let file = |name: &str| Some(path.join(name)).filter(|p| p.exists());
    let config = file(run_folder::CONFIG)
        .map(|p| run_folder::read_config(&p))
        .transpose()?;
    let state = file(run_folder::STATE)
        .map(|p| run_folder::read_state(&p))
        .transpose()?;
    let adapter = file(run_folder::ADAPTER).map(|p| adapter(&p)).transpose()?;
    let log = file(run_folder::LOG).map(|p| run_folder::read_log(&p));
    let events = log.transpose()?.map(|(events, _)| events);
    let machines = machines_of_training(&events.unwrap_or_default());
    Ok(json!({
        "kind": "run",
        "finished": adapter.is_some(),
        "epoch": state.as_ref().map(|state| state.epoch),
        "step": state.as_ref().map(|state| state.step).filter(|step| *step > 0),
        TRAINED_ON: machines,
        "config": config,
        "adapter": adapter,
    }))
}

fn prompts(parameters: &Parameters) -> Value {
    parameters
        .iter()
        .map(|p| json!({ "name": p.name, "shape": p.shape, "norm": norm(&p.values) }))
        .collect()
}

fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// The description as text: one line per value, lists of plain values on one line.
fn text(value: &Value) -> String {
    let mut value = value.clone();
    if let Some(machines) = value.get_mut(TRAINED_ON) {
        let recorded: Vec<Option<Machine>> =
            serde_json::from_value(machines.take()).unwrap_or_default();
        *machines = machines_in_words(&recorded).into();
    }
    let mut lines = String::new();
    write(&value, 0, &mut lines);
    lines
}

fn write(value: &Value, depth: usize, lines: &mut String) {
    let Value::Object(map) = value else { return };
    let indent = "  ".repeat(depth);
    for (key, value) in map {
        match value {
            Value::Null => {}
            Value::Object(_) => {
                *lines += &format!("{indent}{key}:\n");
                write(value, depth + 1, lines);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                *lines += &format!("{indent}{key}: {}\n", items.len());
                for item in items {
                    *lines += &format!("{indent}  {}\n", one_line(item));
                }
            }
            other => *lines += &format!("{indent}{key}: {}\n", one_line(other)),
        }
    }
}

fn one_line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.len() > 8 && items.iter().all(Value::is_string) => {
            let shown: Vec<String> = items.iter().take(8).map(one_line).collect();
            format!("{}, ... ({} in all)", shown.join(", "), items.len())
        }
        Value::Array(items) if items.iter().all(Value::is_number) => {
            let shown: Vec<String> = items.iter().map(one_line).collect();
            format!("[{}]", shown.join(", "))
        }
        Value::Array(items) => items.iter().map(one_line).collect::<Vec<_>>().join(", "),
        Value::Object(map) => map.values().map(one_line).collect::<Vec<_>>().join("  "),
        Value::Number(n) if n.is_f64() => short(n.as_f64().unwrap_or(0.0)),
        other => other.to_string(),
    }
}

/// Six significant digits, without trailing zeros.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn small_and_whole_numbers_keep_their_digits() {
        let texts = [30.0, 0.0025, 1e-5, 2.340_587_123, 0.0].map(short);
        assert_eq!(texts, ["30", "0.0025", "0.00001", "2.34059", "0"]);
    }
}
