//! Initial values of parameters: random numbers, or embeddings of words.

use promptsrc_clip::{ClipModel, values};
use promptsrc_learning::random::Stream;

use crate::config::ConfigError;
use crate::parameters::Parameter;

/// Standard deviation of randomly initialised prompts.
pub(crate) const PROMPT_STD: f64 = 0.02;

/// A linear layer as PyTorch initialises one: `<name>.weight` `[outputs, inputs]` and `<name>.bias`
/// `[outputs]`, uniform between -1/sqrt(inputs) and 1/sqrt(inputs). Layers of the same `stream` have
/// the same values.
pub(crate) fn linear_layer(
    seed: u64,
    stream: &str,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> [Parameter; 2] {
    let bound = 1.0 / (inputs as f64).sqrt();
    let part = |part: &str, shape: Vec<usize>| {
        let mut random = Stream::new(seed, &format!("{stream}.{part}"));
        let values = random.uniform(bound, shape.iter().product());
        Parameter {
            name: format!("{name}.{part}"),
            shape,
            values,
        }
    };
    [
        part("weight", vec![outputs, inputs]),
        part("bias", vec![outputs]),
    ]
}

/// Normally distributed values of mean 0 from the random stream of (seed, name).
pub(crate) fn gaussian(seed: u64, name: &str, std: f64, n: usize) -> Vec<f32> {
    Stream::new(seed, name).gaussian(std, n)
}

/// Token embeddings of the first `n_ctx` tokens of `words`, row-major `[n_ctx, width]`.
pub(crate) fn embedded_words(
    clip: &ClipModel,
    words: &str,
    n_ctx: usize,
) -> Result<Vec<f32>, ConfigError> {
    let ids = clip.tokenizer().encode(words).map_err(ConfigError::Words)?;
    let Some(first) = ids.get(..n_ctx) else {
        return Err(ConfigError::FewWords {
            n_ctx,
            words: words.to_string(),
            tokens: ids.len(),
        });
    };
    let vocab_size = clip.config().text.vocab_size;
    if let Some(id) = first.iter().find(|id| **id as usize >= vocab_size) {
        return Err(ConfigError::Vocabulary {
            words: words.to_string(),
            id: *id,
            vocab_size,
        });
    }
    Ok(values(clip.text().embed(first)))
}
