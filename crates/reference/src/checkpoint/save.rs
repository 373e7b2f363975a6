//! An adapter as a checkpoint that the reference loads.
//!
//! The file holds the prompts alone. The reference's `load_model` (`trainers/promptsrc.py`) reads
//! `state_dict` and `epoch`, drops `token_prefix` and `token_suffix`, and loads the rest with
//! `strict=False`: weights that are not in the file remain CLIP's, to which the prompts belong.
//! Training cannot be resumed from it (`resume_from_checkpoint` is strict, and the file has no
//! optimiser). It also contains the adapter's record, from which the adapter is restored.

use std::path::{Path, PathBuf};

use promptsrc_pickle::{DType, Saved, SavedTensor, TorchSaveError, torch_save};

use super::error::ReferenceCheckpointError;
use super::location::{FOLDER, NEWEST, file_name};
use super::reference_checkpoint::{RECORD, is_saved_by_the_reference};
use promptsrc::adapter::Adapter;
use promptsrc_files::{SaveError, write_atomically};

/// A checkpoint that was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedCheckpoint {
    /// The file, `model.pth.tar-<epoch>`.
    pub file: PathBuf,
    /// Its epoch, for the reference's option `--load-epoch`.
    pub epoch: usize,
}

/// The bytes of a checkpoint: prompts in single precision under their names in the reference's
/// state dictionary, `epoch`, and None for optimizer, scheduler and val_result. The same adapter
/// gives the same bytes.
///
/// # Errors
///
/// Where the adapter cannot be represented in a torch archive.
pub fn to_bytes(adapter: &Adapter, epoch: usize) -> Result<Vec<u8>, TorchSaveError> {
    let mut prompts = Vec::new();
    for prompt in adapter.parameters.iter() {
        let bytes = prompt.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = SavedTensor::new(DType::F32, prompt.shape.clone(), bytes)?;
        prompts.push((prompt.name.clone(), Saved::Tensor(tensor)));
    }
    let record = serde_json::to_string(&adapter.meta).map_err(std::io::Error::other)?;
    let pairs = [
        ("state_dict", Saved::OrderedDict(prompts)),
        (
            "epoch",
            Saved::Int(i64::try_from(epoch).unwrap_or(i64::MAX)),
        ),
        ("optimizer", Saved::None),
        ("scheduler", Saved::None),
        ("val_result", Saved::None),
        (RECORD, Saved::Str(record)),
    ];
    torch_save(&Saved::Dict(
        pairs.map(|(key, value)| (key.to_string(), value)).to_vec(),
    ))
}

/// Saves an adapter as the reference saves a run: `VLPromptLearner/model.pth.tar-<epoch>` in
/// `folder`, and the file `checkpoint` beside it, which names it. `folder` may be that inner folder
/// itself. Each file is written atomically. Existing files are replaced only where `force` is set.
///
/// # Errors
///
/// Where a file exists already and `force` is not set, or cannot be written, or where the adapter
/// is of a method that the reference saves no such checkpoints of.
pub fn save(
    adapter: &Adapter,
    folder: &Path,
    epoch: usize,
    force: bool,
) -> Result<SavedCheckpoint, ReferenceCheckpointError> {
    if !is_saved_by_the_reference(&adapter.meta.method) {
        return Err(ReferenceCheckpointError::NoSuchCheckpoints {
            method: adapter.meta.method.clone(),
            folder: FOLDER,
        });
    }
    let inner = match folder.file_name() {
        Some(name) if name == FOLDER => folder.to_path_buf(),
        _ => folder.join(FOLDER),
    };
    let name = file_name(epoch);
    let (file, newest) = (inner.join(&name), inner.join(NEWEST));
    for path in [&file, &newest] {
        if !force && path.exists() {
            return Err(ReferenceCheckpointError::Occupied { path: path.clone() });
        }
    }
    let bytes = to_bytes(adapter, epoch).map_err(|source| ReferenceCheckpointError::Write {
        path: file.clone(),
        source,
    })?;
    std::fs::create_dir_all(&inner).map_err(|source| SaveError {
        path: inner.clone(),
        source,
    })?;
    write_atomically(&file, &bytes)?;
    write_atomically(&newest, format!("{name}\n").as_bytes())?;
    Ok(SavedCheckpoint { file, epoch })
}
