//! The tensors of the model in a checkpoint.

use promptsrc_pickle::{DType, TensorInfo, TorchFile};

use super::error::ReferenceCheckpointError;

/// The tensors of the model, by their names in its state dictionary.
pub(super) fn state_dict(file: &TorchFile) -> impl Iterator<Item = (&str, &TensorInfo)> {
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
    state_dict(file)
        .find(|(name, info)| *name == "prompt_learner.token_suffix" && info.shape().len() == 3)
        .map(|(_, info)| info)
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
