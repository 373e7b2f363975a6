//! The tokens that the world's texts are made of, numbered without gaps while the CLIP is trained.
//!
//! The standard vocabulary has 49,408 tokens and the world uses a few hundred. Training only these
//! saves the gradient of all other rows of the embedding; afterwards each row goes to its place in
//! the full table, and the rows of all other tokens are zero.

use std::collections::BTreeSet;

use promptsrc_clip::templates::{TEACHER, fill};
use promptsrc_clip::{TokenizeError, Tokenizer};
use promptsrc_world::{pretrain_scene, sets};

/// Tokens of the standard vocabulary.
pub const FULL: usize = 49_408;
/// Positions of the text tower.
pub const CONTEXT_LENGTH: usize = 77;

/// The used tokens in ascending order, so that the end-of-text token has the highest number.
pub struct Vocabulary(Vec<u32>);

impl Vocabulary {
    /// The tokens of the first `captions` captions of a stream, of the class names and the
    /// templates.
    pub fn of_world(seed: u64, captions: u64) -> Result<Self, TokenizeError> {
        let mut words = BTreeSet::new();
        for index in 0..captions {
            let (_, caption) = pretrain_scene(seed, index);
            words.extend(caption.split(' ').map(String::from));
        }
        words.extend(TEACHER.iter().map(|template| fill(template, "")));
        words.extend(sets().iter().flat_map(|set| set.class_names()));
        let mut used = BTreeSet::new();
        for text in words {
            used.extend(tokenize(&text)?);
        }
        Ok(Self(used.into_iter().collect()))
    }

    /// Number of used tokens.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A text's tokens by their new numbers; tokens that are not used are left out.
    pub fn tokens(&self, text: &str) -> Result<Vec<u32>, TokenizeError> {
        let tokens = tokenize(text)?.into_iter();
        Ok(tokens
            .filter_map(|id| self.0.binary_search(&id).ok())
            .map(|place| place as u32)
            .collect())
    }

    /// The full table, given the rows of the used tokens.
    pub fn full_table(&self, rows: &[f32]) -> Vec<f32> {
        let width = rows.len() / self.0.len();
        let mut table = vec![0.0; FULL * width];
        for (id, row) in self.0.iter().zip(rows.chunks_exact(width)) {
            let start = *id as usize * width;
            table[start..start + width].copy_from_slice(row);
        }
        table
    }
}

fn tokenize(text: &str) -> Result<Vec<u32>, TokenizeError> {
    Tokenizer::clip().tokenize(text, CONTEXT_LENGTH, false)
}
