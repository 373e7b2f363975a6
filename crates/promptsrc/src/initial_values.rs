//! Initial values of parameters: random numbers, or embeddings of words.

use promptsrc_clip::{ClipModel, values};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::config::ConfigError;
use crate::parameters::Parameter;

/// Standard deviation of randomly initialised prompts.
pub(crate) const PROMPT_STD: f64 = 0.02;

/// The random numbers of (seed, name), uniform between 0 and 1, neither of which occurs.
fn uniform(seed: u64, name: &str) -> impl FnMut() -> f64 + use<> {
    // FNV-1a: a stable number for a name.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(hash);
    move || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

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
        let mut next = uniform(seed, &format!("{stream}.{part}"));
        let values = (0..shape.iter().product())
            .map(|_| ((2.0 * next() - 1.0) * bound) as f32)
            .collect();
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
    let mut uniform = uniform(seed, name);
    (0..n)
        .map(|_| {
            // Box-Muller transform.
            let (a, b) = (uniform(), uniform());
            let normal = (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos();
            (std * normal) as f32
        })
        .collect()
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
