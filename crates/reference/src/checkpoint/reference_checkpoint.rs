//! The contents of a checkpoint: its prompts, and what it records about its run.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use promptsrc_pickle::{DType, Node, TorchFile};

use super::clip_shape::ClipShape;
use super::error::ReferenceCheckpointError;
use super::form::Form;
use super::learned;
use super::prompts::sorted;
use super::state_dict::{floats, names, state_dict, suffix, tensor};
use promptsrc::adapter::AdapterMeta;
use promptsrc::methods::layer_prompts::parse_prompt_name;
use promptsrc::{Parameter, Parameters};

/// Key of the record that this program adds to the checkpoints it writes; the reference ignores
/// it.
pub(super) const RECORD: &str = "promptsrc";

/// A checkpoint of the reference, as far as this program uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceCheckpoint {
    /// The file.
    pub path: PathBuf,
    /// What the trainer saved.
    pub form: Form,
    /// The learned parameters; aggregated if the file is from the last epoch of a run that aggregates.
    pub prompts: Parameters,
    /// Finished epochs.
    pub epoch: Option<usize>,
    /// Epochs of the whole run, according to its scheduler.
    pub epochs: Option<usize>,
    /// The method, as recorded or as its tensors show it. `None`: they are the same for several
    /// methods of its form.
    pub method: Option<String>,
    /// Whether the text context was trained in half precision, as in the published runs.
    pub half: bool,
    /// Number of classes that it was trained on, if it says so; their names are not in the file.
    pub classes: Option<usize>,
    /// The shape of the CLIP, from its frozen weights, which only files of a whole model have.
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

    /// Whether each class of the training has a context of its own (CoOp's `CSC`).
    pub fn is_class_specific(&self) -> bool {
        self.context().len() == 3
    }

    /// Tokens of the context.
    pub(super) fn n_ctx(&self) -> usize {
        self.context().iter().rev().nth(1).copied().unwrap_or(0)
    }

    /// The shape of the context.
    fn context(&self) -> &[usize] {
        let context = self.prompts.get("prompt_learner.ctx");
        context.map_or(&[], |context| context.shape.as_slice())
    }

    /// Reads a checkpoint of any [`Form`].
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, would execute code, has no prompts, or some that do not belong
    /// together.
    pub fn open(path: &Path) -> Result<Self, ReferenceCheckpointError> {
        let file = TorchFile::open(path)?;
        if let Some(code) = file.pickle().code() {
            return Err(ReferenceCheckpointError::Code {
                path: path.into(),
                code,
            });
        }
        let root = file.root();
        let record = record(path, root)?;
        let (form, method) = Form::of(&file);
        // What the tensors do not show: CoOp, KgCoOp and ProGrad learn the same ones.
        let recorded = record.as_ref().map(|record| record.method.clone());
        let form = recorded
            .as_deref()
            .and_then(Form::of_method)
            .unwrap_or(form);
        let prompts = prompts(&file, form)?;
        let half = tensor(&file, "prompt_learner.ctx").is_some_and(|i| i.dtype() == DType::F16);

        let successor = root.get("scheduler").and_then(|s| s.get("successor"));
        let epochs = successor
            .and_then(|s| s.get("T_max"))
            .and_then(Node::as_float)
            .filter(|n| n.fract() == 0.0 && (1.0..1e6).contains(n));
        let of_tokens = suffix(&file).and_then(|info| info.shape().first().copied());
        let of_contexts = prompts.get("prompt_learner.ctx").and_then(|context| {
            let &[classes, _, _] = context.shape.as_slice() else {
                return None;
            };
            Some(classes)
        });
        if let (Some(expected), Some(found)) = (of_contexts, of_tokens)
            && expected != found
        {
            return Err(ReferenceCheckpointError::TwoClassCounts {
                path: path.into(),
                contexts: expected,
                tokens: found,
            });
        }
        Ok(Self {
            path: path.into(),
            form,
            prompts,
            epoch: root.get("epoch").and_then(Node::as_usize),
            epochs: epochs.map(|n| n as usize),
            method: recorded.or(method.map(str::to_string)),
            half,
            classes: of_contexts.or(of_tokens),
            clip: ClipShape::of(&file),
            optim: optim(root),
            record,
        })
    }
}

/// The learned parameters, in the order of an adapter.
fn prompts(file: &TorchFile, form: Form) -> Result<Parameters, ReferenceCheckpointError> {
    let failed = |source| ReferenceCheckpointError::Prompts {
        path: file.path().into(),
        source,
    };
    let wanted = match form {
        Form::LayerPrompts => names(file)
            .filter(|name| parse_prompt_name(name).is_some())
            .map(Cow::into_owned)
            .collect(),
        _ => {
            let shapes = state_dict(file).map(|(name, info)| (name.into_owned(), info.shape()));
            learned::names(form, &shapes.collect()).map_err(failed)?
        }
    };
    let mut list = Vec::new();
    for name in wanted {
        if let Some(info) = tensor(file, &name) {
            list.push(Parameter {
                shape: info.shape().to_vec(),
                values: floats(file, &name, info)?,
                name,
            });
        }
    }
    match form {
        Form::LayerPrompts => sorted(list).map_err(failed),
        _ => Parameters::new(list).map_err(|error| failed(error.into())),
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
    let bounded = promptsrc_files::bounded_json(text.as_bytes());
    bounded.map_err(|e| damaged(serde::de::Error::custom(e)))?;
    // The version first: a newer record may have other fields.
    let Version { format_version } = serde_json::from_str(text).map_err(damaged)?;
    if format_version > AdapterMeta::FORMAT_VERSION {
        return Err(ReferenceCheckpointError::Version {
            path: path.into(),
            found: format_version,
            known: AdapterMeta::FORMAT_VERSION,
        });
    }
    let record: AdapterMeta = serde_json::from_str(text).map_err(damaged)?;
    record
        .check()
        .map_err(|source| ReferenceCheckpointError::Config {
            path: path.into(),
            source,
        })?;
    Ok(Some(record))
}
