//! Whether a device computes what the CPU computes: a small CLIP on both, forward and backward.
//!
//! Drivers and shader compilers have faults that give wrong numbers without an error. So a device other
//! than the CPU is not believed before it has shown, in the shapes of the CLIP that it will have to
//! compute, that it gives the CPU's numbers.

use std::collections::BTreeMap;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::model::ClipModel;
use crate::tensors::{unit, values};
use crate::text_input::{Slot, TextInputError};
use crate::tokenizer::EndOfText;
use crate::weights::{ClipConfig, WeightError};

/// Largest difference between a device and the CPU, relative to the largest value: a hundred times
/// what the order of f32 sums makes.
pub const DEVICE_TOLERANCE: f32 = 1e-3;

/// Tokens in the vocabulary of the small CLIP; the last two begin and end a text.
const VOCABULARY: u32 = 64;
const START: u32 = VOCABULARY - 2;
const END: u32 = VOCABULARY - 1;
/// Prompts of each tower in each layer.
const CONTEXT: usize = 2;
/// Blocks of each tower: one whose prompts are replaced, and the last.
const LAYERS: usize = 2;

/// A device that does not compute what the CPU computes.
#[derive(Debug, thiserror::Error)]
pub enum DeviceCheckError {
    /// It gives other numbers.
    #[error(
        "its {what} differ from the CPU's by {difference} of the largest value, where {DEVICE_TOLERANCE} is \
         allowed"
    )]
    Different {
        /// What differs.
        what: String,
        /// The largest difference, relative to the largest value.
        difference: f32,
    },
    /// The small CLIP cannot be made in these shapes.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// Its texts cannot be made in these shapes.
    #[error(transparent)]
    Text(#[from] TextInputError),
}

/// Compares a device with the CPU on a CLIP of two blocks a tower, in the widths, heads, resolution
/// and activation of `config`, with weights made up: features of both towers with and without
/// prompts, logits, and the gradients of all prompts.
///
/// # Errors
/// [`DeviceCheckError::Different`] if a number differs by more than [`DEVICE_TOLERANCE`], or is
/// none.
///
/// # Panics
/// If the device fails.
pub fn check_device(device: &Device, config: &ClipConfig) -> Result<(), DeviceCheckError> {
    let config = small(config);
    let expected = computed(&Device::flex(), &config)?;
    let found = computed(device, &config)?;
    for ((what, expected), (_, found)) in expected.iter().zip(&found) {
        let difference = difference(expected, found);
        // A NaN is not below anything.
        if difference.is_nan() || difference > DEVICE_TOLERANCE {
            return Err(DeviceCheckError::Different {
                what: what.to_string(),
                difference,
            });
        }
    }
    Ok(())
}

/// The CLIP to compute: few blocks and a small vocabulary, everything else as it is.
fn small(config: &ClipConfig) -> ClipConfig {
    let mut config = config.clone();
    config.vision.layers = LAYERS;
    config.text.layers = LAYERS;
    config.text.vocab_size = VOCABULARY as usize;
    config.text.start_of_text = START;
    config.text.end_of_text = EndOfText::Greatest;
    config
}

/// Everything that is compared, by name.
fn computed(
    device: &Device,
    config: &ClipConfig,
) -> Result<Vec<(&'static str, Vec<f32>)>, DeviceCheckError> {
    let shapes: BTreeMap<String, Vec<usize>> = config.tensors().into_iter().collect();
    let clip = ClipModel::from_tensors(config, device, &|name| {
        let made_up = weight(name, shapes.get(name).map_or(&[], Vec::as_slice));
        on(device, made_up)
    })?;
    let (vision, text) = (clip.vision(), clip.text());

    let side = config.vision.resolution;
    let image = vision.images(made_up("image", 3 * side * side, 1.0), 1);
    let stem = vision.stem(image);
    // Texts of different lengths, with the context after the start.
    let texts: [Vec<u32>; 3] = [
        vec![START, 1, 1, 2, 3, END],
        vec![START, 1, 1, 4, END],
        vec![START, 1, 1, 5, 6, 7, 8, END],
    ];
    let input = text.prepare(&texts, CONTEXT)?;
    let slots: Vec<Vec<Slot>> = (texts.iter())
        .map(|text| {
            let position = text.len() - 2;
            vec![Slot { position, row: 0 }]
        })
        .collect();
    let placed = text.prepare_placed(&texts, &slots, 1)?;

    let prompt = |name: &str, rows: usize, width: usize| {
        on(device, made_up(name, rows * width, 0.2))
            .autodiff()
            .require_grad()
    };
    let vision_prompts: Vec<Tensor<1>> = (0..LAYERS)
        .map(|layer| prompt(&format!("vision {layer}"), CONTEXT, vision.width()))
        .collect();
    let text_prompts: Vec<Tensor<1>> = (0..LAYERS)
        .map(|layer| prompt(&format!("text {layer}"), CONTEXT, text.width()))
        .collect();
    let word = prompt("word", 1, text.width());
    let rows = |prompts: &[Tensor<1>], width: usize| -> Vec<Tensor<2>> {
        let shaped = prompts.iter().map(|p| p.clone().reshape([CONTEXT, width]));
        shaped.collect()
    };

    let frozen_image = vision.features(&stem, &[]);
    let frozen_text = text.features(&input, &[]);
    let image = vision.features(&stem, &rows(&vision_prompts, vision.width()));
    let prompted = text.features(&input, &rows(&text_prompts, text.width()));
    let own = text.features(&placed, &[word.clone().reshape([1, text.width()])]);
    let logits = clip.logits(image.clone(), prompted.clone()); // [1, 3]
    let own_logits = clip.logits(image.clone(), own.clone()); // [1, 3]

    // The losses of training: cross-entropy and distances to the frozen features.
    let class: Tensor<1, Int> = Tensor::from_data(TensorData::new(vec![1i64], [1]), device);
    let chosen = |logits: Tensor<2>| log_softmax(logits, 1).select(1, class.clone()).sum();
    let apart = |a: Tensor<2>, b: Tensor<2>| (unit(a) - unit(b)).powi_scalar(2).sum();
    let loss = chosen(logits.clone()).neg()
        + chosen(own_logits.clone()).neg()
        + apart(image.clone(), frozen_image.clone())
        + apart(prompted.clone(), frozen_text.clone());
    let gradients = loss.backward();
    let gradient = |leaves: &[Tensor<1>]| -> Vec<f32> {
        let of = |leaf: &Tensor<1>| leaf.grad(&gradients).map(values).unwrap_or_default();
        leaves.iter().flat_map(of).collect()
    };
    Ok(vec![
        ("frozen image features", values(frozen_image)),
        ("frozen text features", values(frozen_text)),
        ("image features", values(image)),
        ("text features", values(prompted)),
        ("text features of words among others", values(own)),
        ("logits", values(logits)),
        ("logits of words among others", values(own_logits)),
        ("gradients of image prompts", gradient(&vision_prompts)),
        ("gradients of text prompts", gradient(&text_prompts)),
        ("gradients of a word", gradient(&[word])),
        ("distances", distances(device)),
    ])
}

/// Gradients of a sum of distances `|x|`, far from where they jump.
fn distances(device: &Device) -> Vec<f32> {
    let x = on(device, vec![-1.5, -0.25, 0.5, 3.0])
        .autodiff()
        .require_grad();
    let gradients = x.clone().abs().sum().backward();
    x.grad(&gradients).map(values).unwrap_or_default()
}

/// A weight of the small CLIP: like those of a trained one in size.
fn weight(name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    match shape {
        // Norms about one, everything else about zero.
        [_] if name.contains("ln_") && name.ends_with(".weight") => {
            made_up(name, count, 0.2).iter().map(|v| 1.0 + v).collect()
        }
        [] => vec![1.5],
        [_] => made_up(name, count, 0.1),
        _ if name.contains("embedding") => made_up(name, count, 0.5),
        [_, rest @ ..] => {
            let inputs = rest.iter().product::<usize>().max(1);
            made_up(name, count, (3.0 / inputs as f32).sqrt())
        }
    }
}

/// Values in `-size..size` that depend on the name alone (xorshift).
fn made_up(name: &str, count: usize, size: f32) -> Vec<f32> {
    let mut state = (name.bytes()).fold(0x9e37_79b9_7f4a_7c15u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            size * ((state >> 40) as f32 / (1 << 23) as f32 - 1.0)
        })
        .collect()
}

fn on(device: &Device, values: Vec<f32>) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// Largest difference, relative to the largest expected value; NaN if there is one.
fn difference(expected: &[f32], found: &[f32]) -> f32 {
    if expected.len() != found.len() {
        return f32::INFINITY;
    }
    let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let mut worst = 0.0f32;
    for (a, b) in expected.iter().zip(found) {
        let difference = (a - b).abs();
        if difference.is_nan() {
            return f32::NAN;
        }
        worst = worst.max(difference);
    }
    worst / largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ClipConfig {
        let vision = crate::weights::VisionConfig {
            width: 32,
            layers: 3,
            heads: 2,
            mlp_width: 128,
            patch_size: 8,
            resolution: 20,
        };
        let text = crate::weights::TextConfig {
            width: 24,
            layers: 5,
            heads: 3,
            mlp_width: 96,
            context_length: 12,
            vocab_size: 1000,
            start_of_text: 998,
            end_of_text: EndOfText::First(7),
        };
        ClipConfig {
            embed_dim: 16,
            vision,
            text,
            activation: crate::Activation::QuickGelu,
            layer_norm_eps: ClipConfig::LAYER_NORM_EPS,
            preprocess: promptsrc_image::Preprocess::clip(20),
        }
    }

    #[test]
    fn the_cpu_agrees_with_itself_and_every_number_depends_on_the_clip() {
        check_device(&Device::flex(), &config()).unwrap();
        let config = small(&config());
        for (what, values) in computed(&Device::flex(), &config).unwrap() {
            assert!(!values.is_empty(), "{what}");
            assert!(values.iter().all(|v| v.is_finite()), "{what}");
            assert!(values.iter().any(|v| v.abs() > 1e-4), "{what}: {values:?}");
        }
    }

    #[test]
    fn a_wrong_number_and_a_nan_are_found() {
        assert!(difference(&[1.0, -4.0], &[1.0, -4.0]) == 0.0);
        assert!(difference(&[1.0, -4.0], &[1.01, -4.0]) > DEVICE_TOLERANCE);
        assert!(difference(&[1.0, -4.0], &[0.0, 0.0]) == 1.0);
        assert!(difference(&[1.0, -4.0], &[1.0, f32::NAN]).is_nan());
        assert!(difference(&[1.0, -4.0], &[1.0]).is_infinite());
    }
}
