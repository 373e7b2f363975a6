//! The contents of a checkpoint: its prompts, and what it records about its run.

use std::path::{Path, PathBuf};

use promptsrc_pickle::{DType, Node, TorchFile};

use super::clip_shape::ClipShape;
use super::error::ReferenceCheckpointError;
use super::prompts::sorted;
use super::state_dict::{floats, state_dict, suffix};
use promptsrc::adapter::AdapterMeta;
use promptsrc::methods::layer_prompts::parse_prompt_name;
use promptsrc::{Parameter, Parameters};

/// Key of the record that this program adds to the checkpoints it writes; the reference ignores
/// it.
pub(super) const RECORD: &str = "promptsrc";

/// The methods whose runs the reference saves as such checkpoints.
const PROMPTSRC: &str = "promptsrc";
const IVLP: &str = "ivlp";

/// Whether the reference saves the runs of a method as such checkpoints.
pub fn is_saved_by_the_reference(method: &str) -> bool {
    [PROMPTSRC, IVLP].contains(&method)
}

/// A checkpoint of the reference, as far as this program uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceCheckpoint {
    /// The file.
    pub path: PathBuf,
    /// The prompts; aggregated if the file is from the last epoch of the run.
    pub prompts: Parameters,
    /// Finished epochs.
    pub epoch: Option<usize>,
    /// Epochs of the whole run, according to its scheduler.
    pub epochs: Option<usize>,
    /// The method: only PromptSRC's checkpoints have a second, frozen image tower. `None`: the file
    /// has no towers.
    pub method: Option<String>,
    /// Whether the text context was trained in half precision, as in the published runs.
    pub half: bool,
    /// Number of classes that it was trained on; their names are not in the file.
    pub classes: Option<usize>,
    /// The shape of the CLIP, from its frozen weights.
    pub clip: Option<ClipShape>,
    /// Settings of optimiser and schedule, by their names in the file (`initial_lr`, `momentum`,
    /// `weight_decay`, `dampening`, `warmup_epoch`, `cons_lr`, `min_lr`).
    pub optim: Vec<(String, f64)>,
    /// The record of the adapter, if this program wrote the file.
    pub record: Option<AdapterMeta>,
}

impl ReferenceCheckpoint {
    /// Precision of the training: the recorded one, or else that of the text context, `f16` or
    /// `f32`.
    pub fn precision(&self) -> &str {
        match &self.record {
            Some(record) => &record.precision,
            None if self.half => "f16",
            None => "f32",
        }
    }

    /// Reads a checkpoint of PromptSRC or IVLP.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, would execute code, is of another method, or has no prompts.
    pub fn open(path: &Path) -> Result<Self, ReferenceCheckpointError> {
        let file = TorchFile::open(path)?;
        if let Some(code) = file.pickle().code() {
            return Err(ReferenceCheckpointError::Code {
                path: path.into(),
                code,
            });
        }
        refuse_other_methods(path, &file)?;
        let mut named = Vec::new();
        let mut half = false;
        for (name, info) in state_dict(&file) {
            if parse_prompt_name(name).is_none() {
                continue;
            }
            half |= name == "prompt_learner.ctx" && info.dtype() == DType::F16;
            named.push(Parameter {
                name: name.to_string(),
                shape: info.shape().to_vec(),
                values: floats(&file, name, info)?,
            });
        }
        let prompts = sorted(named).map_err(|source| ReferenceCheckpointError::Prompts {
            path: path.into(),
            source,
        })?;

        let root = file.root();
        let successor = root.get("scheduler").and_then(|s| s.get("successor"));
        let epochs = successor
            .and_then(|s| s.get("T_max"))
            .and_then(Node::as_float)
            .filter(|n| n.fract() == 0.0 && (1.0..1e6).contains(n));
        let holds = |part: &str| state_dict(&file).any(|(name, _)| name.starts_with(part));
        let method = match (
            holds("prompt_learner.ZS_image_encoder."),
            holds("image_encoder.ln_"),
        ) {
            (true, _) => Some(PROMPTSRC),
            (false, true) => Some(IVLP),
            (false, false) => None,
        };
        let record = record(path, root)?;
        Ok(Self {
            path: path.into(),
            prompts,
            epoch: root.get("epoch").and_then(Node::as_usize),
            epochs: epochs.map(|n| n as usize),
            method: record
                .as_ref()
                .map(|r| r.method.clone())
                .or(method.map(str::to_string)),
            half,
            classes: suffix(&file).and_then(|info| info.shape().first().copied()),
            clip: ClipShape::of(&file),
            optim: optim(root),
            record,
        })
    }
}

fn refuse_other_methods(path: &Path, file: &TorchFile) -> Result<(), ReferenceCheckpointError> {
    for (name, _) in state_dict(file) {
        let below = name.strip_prefix("prompt_learner.").unwrap_or(name);
        let trainer = if below.starts_with("meta_net.") {
            "CoCoOp"
        } else if below.starts_with("compound_prompts_text.") || below == "proj.weight" {
            "MaPLe"
        } else {
            continue;
        };
        return Err(ReferenceCheckpointError::OtherMethod {
            path: path.into(),
            trainer,
            name: name.to_string(),
        });
    }
    // CoOp saves its prompt learner alone.
    match state_dict(file).any(|(name, _)| name == "ctx") {
        true => Err(ReferenceCheckpointError::OtherMethod {
            path: path.into(),
            trainer: "CoOp",
            name: "ctx".to_string(),
        }),
        false => Ok(()),
    }
}

/// Settings of the first (and only) parameter group, and of the warm-up.
fn optim(root: Node<'_>) -> Vec<(String, f64)> {
    let group = root
        .get("optimizer")
        .and_then(|o| o.get("param_groups"))
        .and_then(|groups| groups.elements().next());
    let of = |node: Option<Node<'_>>, name: &str| {
        let value = node?.get(name)?.as_float()?;
        value.is_finite().then(|| (name.to_string(), value))
    };
    let optimiser = ["initial_lr", "momentum", "weight_decay", "dampening"];
    let warmup = ["warmup_epoch", "cons_lr", "min_lr"];
    let scheduler = root.get("scheduler");
    let found = optimiser.iter().filter_map(|name| of(group, name));
    found
        .chain(warmup.iter().filter_map(|name| of(scheduler, name)))
        .collect()
}

fn record(path: &Path, root: Node<'_>) -> Result<Option<AdapterMeta>, ReferenceCheckpointError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let Some(text) = root.get(RECORD).and_then(Node::as_str) else {
        return Ok(None);
    };
    let damaged = |source| ReferenceCheckpointError::Record {
        path: path.into(),
        source,
    };
    // The version first: a newer record may have other fields.
    let Version { format_version } = serde_json::from_str(text).map_err(damaged)?;
    if format_version > AdapterMeta::FORMAT_VERSION {
        return Err(ReferenceCheckpointError::Version {
            path: path.into(),
            found: format_version,
            known: AdapterMeta::FORMAT_VERSION,
        });
    }
    serde_json::from_str(text).map(Some).map_err(damaged)
}
