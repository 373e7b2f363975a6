//! Whether the class names and the prompt prefix are those that a checkpoint was trained on.
//!
//! Their text is not in the file, but the embeddings of all tokens after the context are
//! (`token_suffix`): rows of CLIP's token embedding, in half precision and averaged over the
//! epochs.

use promptsrc_clip::{ClipModel, Tokenizer, values};
use promptsrc_pickle::TorchFile;

use super::error::ReferenceCheckpointError;
use super::reference_checkpoint::ReferenceCheckpoint;
use super::state_dict::{floats, suffix};

/// Largest relative distance of equal embeddings: far above the error of averaging in half
/// precision (3e-4), far below the distance of two tokens.
const SAME: f32 = 0.05;

impl ReferenceCheckpoint {
    /// Checks the prompt prefix, and the class names where they are known, against the checkpoint's
    /// tokens. A checkpoint without tokens passes; words that the context has replaced are not
    /// checked.
    ///
    /// # Errors
    ///
    /// Where the texts differ, or the file cannot be read again.
    pub fn check_texts(
        &self,
        clip: &ClipModel,
        prompt_prefix: &str,
        names: &[String],
    ) -> Result<(), ReferenceCheckpointError> {
        let Some(classes) = self.classes else {
            return Ok(());
        };
        if !names.is_empty() && names.len() != classes {
            return Err(ReferenceCheckpointError::ClassCount {
                path: self.path.clone(),
                expected: classes,
                found: names.len(),
            });
        }
        let file = TorchFile::open(&self.path)?;
        let Some(info) = suffix(&file) else {
            return Ok(());
        };
        let &[_, rows, width] = info.shape() else {
            return Ok(());
        };
        if width != clip.text().width() {
            // The prompts do not fit this CLIP either, which is reported where they are used.
            return Ok(());
        }
        let tokens = floats(&file, "prompt_learner.token_suffix", info)?;
        let n_ctx = self.n_ctx();
        let differs = |class: usize, text: &str| {
            let start = class.checked_mul(rows)?.checked_mul(width)?;
            let found = tokens.get(start..start.checked_add(rows.checked_mul(width)?)?)?;
            first_difference(clip, found, width, text, n_ctx)
        };
        if names.is_empty() {
            return match differs(0, prompt_prefix) {
                Some(_) => Err(ReferenceCheckpointError::OtherPrefix {
                    path: self.path.clone(),
                    prefix: prompt_prefix.to_string(),
                }),
                None => Ok(()),
            };
        }
        for (class, name) in names.iter().enumerate() {
            let text = format!("{prompt_prefix} {}.", name.replace('_', " "));
            if let Some(token) = differs(class, &text) {
                return Err(ReferenceCheckpointError::OtherText {
                    path: self.path.clone(),
                    class: class + 1,
                    text,
                    token: token + 1,
                });
            }
        }
        Ok(())
    }
}

/// The first token of `text`, after the first `n_ctx`, whose embedding differs from the row found.
fn first_difference(
    clip: &ClipModel,
    found: &[f32],
    width: usize,
    text: &str,
    n_ctx: usize,
) -> Option<usize> {
    // The reference has CLIP's own tokenizer, which has ids for every text.
    let ids = Tokenizer::clip().encode(text).unwrap_or_default();
    let vocab_size = clip.config().text.vocab_size;
    let rest = ids.get(n_ctx..).filter(|ids| !ids.is_empty())?;
    if let Some(outside) = rest.iter().position(|id| *id as usize >= vocab_size) {
        return Some(n_ctx + outside);
    }
    let expected = values(clip.text().embed(rest));
    let mut found = found.chunks_exact(width);
    let differs = expected.chunks_exact(width).position(|expected| {
        let Some(found) = found.next() else {
            return true;
        };
        let distance: f32 = expected
            .iter()
            .zip(found)
            .map(|(a, b)| (a - b).powi(2))
            .sum();
        let length: f32 = expected.iter().map(|a| a.powi(2)).sum();
        distance.is_nan() || distance.sqrt() > SAME * length.sqrt()
    });
    differs.map(|at| n_ctx + at)
}
