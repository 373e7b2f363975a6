//! A checkpoint of the Python reference (`model.pth.tar-N`), parsed and never executed.
//!
//! The reference's trainers PromptSRC and IVLP save `VLPromptLearner/model.pth.tar-<epoch>`: a
//! `torch.save` archive of the whole model's state dictionary, the optimiser and the scheduler, the
//! last two with live Python objects in them. What is taken from it are the prompts, and what its
//! shapes and settings say of the run. Its frozen weights are CLIP's but for the rounding that
//! half-precision averaging leaves, so the prompts are used on pristine CLIP.

mod adapter;
mod place;
mod save;
mod texts;

use std::path::{Path, PathBuf};

use promptsrc_pickle::{DType, Node, TensorInfo, TorchFile, TorchFileError, TorchSaveError};

use promptsrc::adapter::AdapterMeta;
use promptsrc::config::Method;
use promptsrc::prompts::{Prompts, PromptsError, parse_prompt_name};
use promptsrc_files::SaveError;

pub use adapter::{ClipShape, Unsaid};
pub use place::{FOLDER, find, run_log};
pub use save::{SavedCheckpoint, save, to_bytes};

/// Key of the record that this program adds to the checkpoints it writes; the reference does not
/// look at it.
const RECORD: &str = "promptsrc";

/// What this program takes from a reference checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceCheckpoint {
    /// The file.
    pub path: PathBuf,
    /// The prompts: aggregated where the file is of the run's last epoch.
    pub prompts: Prompts,
    /// Finished epochs.
    pub epoch: Option<usize>,
    /// Epochs that the whole run has, as its scheduler says.
    pub epochs: Option<usize>,
    /// The method: PromptSRC keeps a second, frozen image tower in its checkpoints. None: the file
    /// holds no towers at all.
    pub method: Option<Method>,
    /// Whether the text context was trained in half precision, as in the published runs.
    pub half: bool,
    /// Number of classes that it was trained on. Their names are not in the file.
    pub classes: Option<usize>,
    /// The CLIP that its frozen weights are of.
    pub clip: Option<ClipShape>,
    /// Settings of optimiser and schedule, by their names in the file (`initial_lr`, `momentum`,
    /// `weight_decay`, `dampening`, `warmup_epoch`, `cons_lr`, `min_lr`).
    pub optim: Vec<(String, f64)>,
    /// The adapter's record, where this program wrote the file.
    pub record: Option<AdapterMeta>,
}

/// A file that gives no prompts, or prompts that give no file.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceCheckpointError {
    /// The file.
    #[error(transparent)]
    File(#[from] TorchFileError),
    /// Its pickle would run code.
    #[error("{} would run {code} when Python loads it; it is not a checkpoint to trust", path.display())]
    Code {
        /// The file.
        path: PathBuf,
        /// What it would run.
        code: String,
    },
    /// Its prompts.
    #[error("{}: {source}", path.display())]
    Prompts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PromptsError,
    },
    /// A tensor is not of floats.
    #[error("{}: the tensor {name} is of type {dtype}, expected floats", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// A checkpoint of another method.
    #[error(
        "{} is a checkpoint of {trainer} (it holds {name}); those of PromptSRC and IVLP are read",
        path.display()
    )]
    OtherMethod {
        /// The file.
        path: PathBuf,
        /// The reference's trainer.
        trainer: &'static str,
        /// The tensor by which it is known.
        name: String,
    },
    /// The record that this program adds cannot be read.
    #[error("{}: the record of promptsrc in it cannot be read: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The record is newer than this program.
    #[error(
        "{}: its record has format version {found}, this program knows up to {known}: use a newer \
         promptsrc",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest known version.
        known: u32,
    },
    /// Something that an adapter must say is neither in the file nor given.
    #[error("{} does not say {what}: give it with {option}", path.display())]
    Unsaid {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
        /// How it can be given.
        option: &'static str,
    },
    /// Class names of another number than the checkpoint's classes.
    #[error(
        "{} was trained on {expected} classes, {found} class names are given: give those of its \
         training, in label order",
        path.display()
    )]
    ClassCount {
        /// The file.
        path: PathBuf,
        /// Its classes.
        expected: usize,
        /// Names that are given.
        found: usize,
    },
    /// Class names or words that the checkpoint's tokens contradict.
    #[error(
        "{}: class {class} was not trained as {text:?} (word {token} of it is another one): give \
         the class names of its training in label order, and the words before them",
        path.display()
    )]
    OtherText {
        /// The file.
        path: PathBuf,
        /// The class, counted from 1.
        class: usize,
        /// The text that was expected of it.
        text: String,
        /// The token that differs, counted from 1.
        token: usize,
    },
    /// The words in front of the class names that the checkpoint's tokens contradict.
    #[error(
        "{}: its prompts did not begin as {words:?}: give the words of CTX_INIT of its run",
        path.display()
    )]
    OtherWords {
        /// The file.
        path: PathBuf,
        /// The words that were expected.
        words: String,
    },
    /// A folder without checkpoint.
    #[error("{}: there is no checkpoint {expected} in it", path.display())]
    NotThere {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        expected: String,
    },
    /// The archive cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TorchSaveError,
    },
    /// The file or its folder cannot be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// A file that must not be lost stands there.
    #[error("{} is there already; it is replaced only when asked to", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
}

impl ReferenceCheckpoint {
    /// Reads a checkpoint of PromptSRC or IVLP.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, would run code, is of another method, or holds no prompts.
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
            let values = floats(&file, name, info)?;
            named.push((name, info.shape().to_vec(), values));
        }
        let prompts =
            Prompts::from_named(named).map_err(|source| ReferenceCheckpointError::Prompts {
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
            (true, _) => Some(Method::PromptSrc),
            (false, true) => Some(Method::Ivlp),
            (false, false) => None,
        };
        let record = record(path, root)?;
        Ok(Self {
            path: path.into(),
            prompts,
            epoch: root.get("epoch").and_then(Node::as_usize),
            epochs: epochs.map(|n| n as usize),
            method: record.as_ref().map(|r| r.method).or(method),
            half,
            classes: suffix(&file).and_then(|info| info.shape().first().copied()),
            clip: ClipShape::of(&file),
            optim: optim(root),
            record,
        })
    }
}

/// The tensors of the model, by their names in its state dictionary.
fn state_dict(file: &TorchFile) -> impl Iterator<Item = (&str, &TensorInfo)> {
    let whole = file.root().get("state_dict").is_some();
    file.tensors().iter().filter_map(move |(name, info)| {
        let name = match whole {
            true => name.strip_prefix("state_dict.")?,
            false => name,
        };
        // What a model on several GPUs puts in front.
        Some((name.strip_prefix("module.").unwrap_or(name), info))
    })
}

/// Embeddings of what follows the context in each class's text, `[classes, 76 - n_ctx, width]`.
fn suffix(file: &TorchFile) -> Option<&TensorInfo> {
    state_dict(file)
        .find(|(name, info)| *name == "prompt_learner.token_suffix" && info.shape().len() == 3)
        .map(|(_, info)| info)
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

/// A tensor's values, widened or narrowed to f32.
fn floats(
    file: &TorchFile,
    name: &str,
    info: &TensorInfo,
) -> Result<Vec<f32>, ReferenceCheckpointError> {
    let bytes = file.read(info)?;
    Ok(match info.dtype() {
        DType::F16 => each(&bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        DType::BF16 => each(&bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        DType::F32 => each(&bytes, f32::from_le_bytes),
        DType::F64 => each(&bytes, |b| f64::from_le_bytes(b) as f32),
        other => {
            return Err(ReferenceCheckpointError::Type {
                path: file.path().into(),
                name: name.to_string(),
                dtype: format!("{other:?}"),
            });
        }
    })
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|chunk| read(*chunk))
        .collect()
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
