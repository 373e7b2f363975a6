//! The tensors of the model in a checkpoint.

use std::borrow::Cow;

use promptsrc_pickle::{DType, TensorInfo, TorchFile};

use super::error::ReferenceCheckpointError;

/// The prompt learner in the names of a whole model.
pub(super) const LEARNER: &str = "prompt_learner.";

/// The tensors of the model, by their names in the whole model's state dictionary: CoOp and the trainers
/// built on it save their prompt learner alone, without its name.
pub(super) fn state_dict(file: &TorchFile) -> impl Iterator<Item = (Cow<'_, str>, &TensorInfo)> {
    let alone = is_learner_alone(file);
    saved(file).map(move |(name, info)| match alone {
        true => (Cow::from(format!("{LEARNER}{name}")), info),
        false => (Cow::from(name), info),
    })
}

/// The names of these tensors.
pub(super) fn names(file: &TorchFile) -> impl Iterator<Item = Cow<'_, str>> {
    state_dict(file).map(|(name, _)| name)
}

/// The tensor of a name.
pub(super) fn tensor<'a>(file: &'a TorchFile, wanted: &str) -> Option<&'a TensorInfo> {
    state_dict(file)
        .find(|(name, _)| name == wanted)
        .map(|(_, info)| info)
}

/// Whether a file has a prompt learner alone.
pub(super) fn is_learner_alone(file: &TorchFile) -> bool {
    let has = |wanted: &str| saved(file).any(|(name, _)| name == wanted);
    has("ctx") && !has("prompt_learner.ctx")
}

/// The tensors of the model, by their names in the file.
fn saved(file: &TorchFile) -> impl Iterator<Item = (&str, &TensorInfo)> {
    let whole = file.root().get("state_dict").is_some();
    file.tensors().iter().filter_map(move |(name, info)| {
        let name = match whole {
            true => name.strip_prefix("state_dict.")?,
            false => name,
        };
        // The prefix that `DataParallel` adds on several GPUs.
        Some((name.strip_prefix("module.").unwrap_or(name), info))
    })
}

/// Embeddings of the tokens after the context in the text of each class,
/// `[classes, 76 - n_ctx, width]`.
pub(super) fn suffix(file: &TorchFile) -> Option<&TensorInfo> {
    tensor(file, "prompt_learner.token_suffix").filter(|info| info.shape().len() == 3)
}

/// The values of a tensor, converted to f32.
pub(super) fn floats(
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
