//! Prompts out of a checkpoint of the Python reference (`model.pth.tar-N`), parsed and never executed.

use std::path::{Path, PathBuf};

use promptsrc_pickle::{DType, TorchFile, TorchFileError};

use crate::prompts::{Prompts, PromptsError, parse_prompt_name};

/// What this program takes from a reference checkpoint: the prompts and the epoch. Its frozen
/// weights are CLIP's but for the rounding that half-precision averaging leaves, so the prompts
/// are used on pristine CLIP.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceCheckpoint {
    /// The prompts: aggregated where the file is of the run's last epoch.
    pub prompts: Prompts,
    /// Finished epochs.
    pub epoch: Option<usize>,
}

/// A file that gives no prompts.
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
    /// A prompt is not of floats.
    #[error("{}: the prompt {name} is of type {dtype}", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The prompt.
        name: String,
        /// Its type.
        dtype: String,
    },
}

impl ReferenceCheckpoint {
    /// Reads the prompts of a PromptSRC or IVLP checkpoint.
    pub fn open(path: &Path) -> Result<Self, ReferenceCheckpointError> {
        let file = TorchFile::open(path)?;
        if let Some(code) = file.pickle().code() {
            return Err(ReferenceCheckpointError::Code {
                path: path.into(),
                code,
            });
        }
        let mut named = Vec::new();
        for (name, info) in file.tensors() {
            let name = name.strip_prefix("state_dict.").unwrap_or(name);
            if parse_prompt_name(name).is_none() {
                continue;
            }
            let bytes = file.read(info)?;
            let values = match info.dtype() {
                DType::F16 => each(&bytes, |b| half::f16::from_le_bytes(b).to_f32()),
                DType::BF16 => each(&bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
                DType::F32 => each(&bytes, f32::from_le_bytes),
                DType::F64 => each(&bytes, |b| f64::from_le_bytes(b) as f32),
                other => {
                    return Err(ReferenceCheckpointError::Type {
                        path: path.into(),
                        name: name.to_string(),
                        dtype: format!("{other:?}"),
                    });
                }
            };
            named.push((name.to_string(), info.shape().to_vec(), values));
        }
        let prompts =
            Prompts::from_named(named).map_err(|source| ReferenceCheckpointError::Prompts {
                path: path.into(),
                source,
            })?;
        let epoch = file.root().get("epoch").and_then(|e| e.as_usize());
        Ok(Self { prompts, epoch })
    }
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|chunk| read(*chunk))
        .collect()
}
