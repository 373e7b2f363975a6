//! Whether class names, with the words in front of them, are those that a checkpoint was trained on.
//!
//! Their text is not in the file, but the embeddings of all tokens behind the context are
//! (`token_suffix`). They are CLIP's own rows, in half precision and averaged over the epochs.

use promptsrc_clip::{ClipModel, Tokenizer, values};
use promptsrc_pickle::TorchFile;

use super::error::ReferenceCheckpointError;
use super::reference_checkpoint::ReferenceCheckpoint;
use super::state_dict::{floats, suffix};

/// Far above what averaging in half precision leaves (3e-4 of a value), far below the distance of
/// two tokens.
const SAME: f32 = 0.05;

impl ReferenceCheckpoint {
    /// Checks `lead`, the words in front of the class names, and the class names, where they are
    /// known, against the checkpoint's tokens. A checkpoint without tokens contradicts nothing; nor
    /// can words be told that the context has replaced.
    ///
    /// # Errors
    ///
    /// Where the texts are others, or the file cannot be read again.
    pub fn check_texts(
        &self,
        clip: &ClipModel,
        lead: &str,
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
            // The prompts do not fit this CLIP either, which is told where they are used.
            return Ok(());
        }
        let tokens = floats(&file, "prompt_learner.token_suffix", info)?;
        let n_ctx = self.prompts.n_ctx_text();
        let differs = |class: usize, text: &str| {
            let start = class.checked_mul(rows)?.checked_mul(width)?;
            let found = tokens.get(start..start.checked_add(rows.checked_mul(width)?)?)?;
            first_difference(clip, found, width, text, n_ctx)
        };
        if names.is_empty() {
            return match differs(0, lead) {
                Some(_) => Err(ReferenceCheckpointError::OtherWords {
                    path: self.path.clone(),
                    words: lead.to_string(),
                }),
                None => Ok(()),
            };
        }
        for (class, name) in names.iter().enumerate() {
            let text = format!("{lead} {}.", name.replace('_', " "));
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

/// The first token of `text`, behind its first `n_ctx`, whose embedding is not the row found for it.
fn first_difference(
    clip: &ClipModel,
    found: &[f32],
    width: usize,
    text: &str,
    n_ctx: usize,
) -> Option<usize> {
    let ids = Tokenizer::clip().encode(text);
    let vocab_size = clip.config().text.vocab_size;
    let behind = ids.get(n_ctx..).filter(|ids| !ids.is_empty())?;
    if let Some(outside) = behind.iter().position(|id| *id as usize >= vocab_size) {
        return Some(n_ctx + outside);
    }
    let expected = values(clip.text().embed(behind));
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
