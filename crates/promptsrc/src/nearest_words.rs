//! The words nearest to learned context vectors, as CoOp's `interpret_prompt.py` finds them.

use promptsrc_clip::{ClipModel, values};

use crate::adapter::Adapter;
use crate::config::MethodConfig;
use crate::methods::layer_prompts::{Tower, prompt_name};

/// Token embeddings that are compared at once: bounds the memory.
const CHUNK: usize = 4096;

/// Most context vectors whose words are looked for: those of a context for each of many classes are as
/// many as there are classes.
const MOST_VECTORS: usize = 64;

/// The words nearest to the vectors of a context.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestWords {
    /// Of each vector, in the order of the context; the contexts of classes one after another.
    pub vectors: Vec<VectorWords>,
    /// Vectors beyond the first ones, which are left out.
    pub left_out: usize,
}

/// The words nearest to a context vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorWords {
    /// The class, where each has a context of its own.
    pub class: Option<String>,
    /// Its place in the context, from 1.
    pub place: usize,
    /// Tokens and their Euclidean distances to the vector, the nearest first; of equal distances, the
    /// token with the smaller id.
    pub nearest: Vec<(String, f64)>,
}

/// Why a method has no vectors among words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoWords {
    /// It learns a head.
    #[error(
        "{method} learns a classifier of image features, no prompt: there are no vectors among words"
    )]
    Head {
        /// The method.
        method: String,
    },
    /// Its parameters have no context at the input of the text tower.
    #[error(
        "{method} learned no context at the input of the text tower, where CLIP's words are: the \
         vectors of deeper layers and of the image tower are not among words"
    )]
    NoContext {
        /// The method.
        method: String,
    },
    /// Its context is not as wide as this CLIP's words.
    #[error("the context is {found} wide and this CLIP's words {expected}: it is another CLIP's")]
    Width {
        /// Width of the context.
        found: usize,
        /// Width of the words.
        expected: usize,
    },
}

/// The `count` tokens nearest to each vector of the context that an adapter puts into the input of the
/// text tower.
///
/// # Errors
/// [`NoWords`] says why there is no such context.
pub fn nearest_words(
    adapter: &Adapter,
    clip: &ClipModel,
    count: usize,
) -> Result<NearestWords, NoWords> {
    let method = || adapter.meta.method.clone();
    if let MethodConfig::Features(_) = adapter.meta.config {
        return Err(NoWords::Head { method: method() });
    }
    let name = prompt_name(Tower::Text, 0);
    let context = adapter.parameters.iter().find(|p| p.name == name);
    let Some(context) = context else {
        return Err(NoWords::NoContext { method: method() });
    };
    let (n_ctx, classes) = match context.shape.as_slice() {
        [n_ctx, _] => (*n_ctx, None),
        [_, n_ctx, _] => (*n_ctx, Some(&adapter.meta.class_names)),
        _ => return Err(NoWords::NoContext { method: method() }),
    };
    let (found, expected) = (
        context.shape.last().copied().unwrap_or(0),
        clip.text().width(),
    );
    if found != expected || n_ctx == 0 {
        return Err(NoWords::Width { found, expected });
    }
    let all: Vec<&[f32]> = context.values.chunks_exact(expected).collect();
    let rows = &all[..all.len().min(MOST_VECTORS)];
    let nearest = nearest(clip, rows, count);
    let vectors = nearest.into_iter().enumerate().map(|(at, found)| {
        let spell = |(id, distance): (u32, f64)| {
            let text = clip.tokenizer().spelling(id);
            (text.unwrap_or_else(|| format!("token {id}")), distance)
        };
        VectorWords {
            class: classes.and_then(|names| names.get(at / n_ctx).cloned()),
            place: at % n_ctx + 1,
            nearest: found.into_iter().map(spell).collect(),
        }
    });
    Ok(NearestWords {
        vectors: vectors.collect(),
        left_out: all.len() - rows.len(),
    })
}

/// Ids and distances of the tokens nearest to each row.
fn nearest(clip: &ClipModel, rows: &[&[f32]], count: usize) -> Vec<Vec<(u32, f64)>> {
    let width = clip.text().width();
    let vocabulary = clip.config().text.vocab_size as u32;
    let mut found: Vec<Vec<(u32, f64)>> = vec![Vec::new(); rows.len()];
    for first in (0..vocabulary).step_by(CHUNK) {
        let ids: Vec<u32> = (first..vocabulary.min(first + CHUNK as u32)).collect();
        let tokens = values(clip.text().embed(&ids)); // [ids, width]
        for (row, best) in rows.iter().zip(&mut found) {
            for (id, token) in ids.iter().zip(tokens.chunks_exact(width)) {
                let distance = squared_distance(row, token);
                if best.len() < count || best.last().is_some_and(|(_, most)| distance < *most) {
                    let place = best.partition_point(|(_, other)| *other <= distance);
                    best.insert(place, (*id, distance));
                    best.truncate(count);
                }
            }
        }
    }
    for (_, distance) in found.iter_mut().flatten() {
        *distance = distance.sqrt();
    }
    found
}

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
    a.iter().zip(b).map(square).sum()
}
