//! An adapter as a checkpoint that the reference loads.
//!
//! The file holds the learned parameters alone. `load_model` of each trainer (`trainers/promptsrc.py`,
//! `coop.py`, `cocoop.py`, `maple.py`, `kgcoop.py`, `prograd.py`) reads `state_dict` and `epoch`, drops
//! `token_prefix` and `token_suffix`, and loads the rest with `strict=False`: tensors that are not in
//! the file keep what the model was made with, which is CLIP's weights, the tokens of the present class
//! names, and KgCoOp's unused network. Training cannot be resumed from it (`resume_from_checkpoint` is
//! strict, and the file has no optimiser). It also contains the adapter's record, from which the adapter
//! is restored.

use std::path::{Path, PathBuf};

use promptsrc_pickle::{DType, Saved, SavedTensor, TorchSaveError, torch_save};

use super::error::ReferenceCheckpointError;
use super::form::Form;
use super::location::{NEWEST, file_name};
use super::reference_checkpoint::RECORD;
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

/// The bytes of a checkpoint of a form: parameters in single precision under their names in the
/// trainer's state dictionary, `epoch`, and None for optimizer, scheduler and val_result. The same
/// adapter gives the same bytes.
///
/// # Errors
///
/// Where the adapter cannot be represented in a torch archive.
pub fn to_bytes(adapter: &Adapter, form: Form, epoch: usize) -> Result<Vec<u8>, TorchSaveError> {
    let mut prompts = Vec::new();
    for prompt in adapter.parameters.iter() {
        let bytes = prompt.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = SavedTensor::new(DType::F32, prompt.shape.clone(), bytes)?;
        let name = form.saved_name(&prompt.name).to_string();
        prompts.push((name, Saved::Tensor(tensor)));
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

/// Saves an adapter as its trainer saves a run: `model.pth.tar-<epoch>` in the [`Form::folder`] in
/// `folder`, and the file `checkpoint` beside it, which names it. `folder` may be that inner folder
/// itself. Each file is written atomically. Existing files are replaced only where `force` is set.
///
/// # Errors
///
/// Where a file exists already and `force` is not set, or cannot be written, or where the adapter
/// is of a method that no trainer saves checkpoints of.
pub fn save(
    adapter: &Adapter,
    folder: &Path,
    epoch: usize,
    force: bool,
) -> Result<SavedCheckpoint, ReferenceCheckpointError> {
    let form = Form::of_method(&adapter.meta.method).ok_or_else(|| {
        let known = Form::ALL.iter().flat_map(|form| form.methods());
        ReferenceCheckpointError::NoSuchCheckpoints {
            method: adapter.meta.method.clone(),
            known: known.copied().collect::<Vec<_>>().join(", "),
        }
    })?;
    let inner = match folder.file_name() {
        Some(name) if name == form.folder() => folder.to_path_buf(),
        _ => folder.join(form.folder()),
    };
    let name = file_name(epoch);
    let (file, newest) = (inner.join(&name), inner.join(NEWEST));
    for path in [&file, &newest] {
        if !force && path.exists() {
            return Err(ReferenceCheckpointError::Occupied { path: path.clone() });
        }
    }
    let bytes =
        to_bytes(adapter, form, epoch).map_err(|source| ReferenceCheckpointError::Write {
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
