//! The arithmetic of a training step as the methods' published programs do it, counted.
//!
//! Every class goes through all positions of the text tower, every row through every layer, and all
//! of them have a gradient where the learned values lie behind the tower. Nothing is shared between
//! classes or passes. Frozen text features are computed before the training, and no weight has a
//! gradient. Like [`needed_work`](crate::needed_work), it counts the products of the blocks and the
//! patches.

use promptsrc::TrainConfig;
use promptsrc::config::Guidance;
use promptsrc_clip::ClipConfig;

/// Passes through a tower.
#[derive(Clone, Copy)]
struct Passes {
    forward: usize,
    backward: usize,
}

/// GFLOP of one step, for the batch of the configuration. `per_image`: whether the context depends on
/// the image.
pub fn step_gflop(clip: &ClipConfig, config: &TrainConfig, classes: usize, per_image: bool) -> f64 {
    let batch = config.batch_size;
    let projects = matches!(config.guidance, Some(Guidance::GradientProjection { .. }));
    let texts = classes * if per_image { batch } else { 1 };
    // One forward pass for both losses of ProGrad, whose backward passes follow each other.
    let text = Passes {
        forward: 1,
        backward: if projects { 2 } else { 1 },
    };
    let (width, layers) = (clip.text.width, clip.text.layers);
    let text = texts as f64 * sequence(width, layers, clip.text.context_length, text);

    let (width, layers, tokens) = (clip.vision.width, clip.vision.layers, clip.vision.tokens());
    let prompted = config.prompts.depth_vision > 0;
    let student = Passes {
        forward: 1,
        backward: usize::from(prompted),
    };
    let prompts = if prompted {
        config.prompts.n_ctx_vision
    } else {
        0
    };
    // The frozen CLIP encodes the images anew, also where the image tower has no prompts (ProGrad).
    let frozen = Passes {
        forward: usize::from(config.regularisation.is_some() || projects),
        backward: 0,
    };
    let patches = (1 + frozen.forward) as f64
        * (tokens - 1) as f64
        * 2.0
        * (3 * clip.vision.patch_size.pow(2) * width) as f64;
    let image = sequence(width, layers, tokens + prompts, student)
        + sequence(width, layers, tokens, frozen)
        + patches;
    (text + batch as f64 * image) / 1e9
}

/// FLOP of a sequence of so many rows: twelve matrices `[width, width]` of each row and layer, two
/// products for each pair of rows, and four in the backward pass.
fn sequence(width: usize, layers: usize, rows: usize, passes: Passes) -> f64 {
    let (width, rows) = (width as f64, rows as f64);
    let (forward, backward) = (passes.forward as f64, passes.backward as f64);
    let matrices = (forward + backward) * rows * 24.0 * width * width;
    let pairs = (4.0 * forward + 8.0 * backward) * width * rows * rows;
    layers as f64 * (matrices + pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_method::published;
    use crate::random_clip::vit_b_16;

    /// 77 rows x 12 layers x (24 x 512^2 + 4 x 512 x 77) forward, and 8 for 4 backward.
    #[test]
    fn a_class_costs_all_positions_forward_and_backward() {
        let clip = vit_b_16();
        let class = |method: &str| {
            let config = published(method).expect("a method");
            let of = |classes| step_gflop(&clip, &config, classes, false);
            of(1) - of(0)
        };
        let forward = 77.0 * 12.0 * (24.0 * 512.0 * 512.0 + 4.0 * 512.0 * 77.0) / 1e9;
        let backward = 77.0 * 12.0 * (24.0 * 512.0 * 512.0 + 8.0 * 512.0 * 77.0) / 1e9;
        for method in ["promptsrc", "coop", "maple"] {
            assert!((class(method) - forward - backward).abs() < 1e-9);
        }
        assert!((class("prograd") - forward - 2.0 * backward).abs() < 1e-9);
    }

    #[test]
    fn images_are_encoded_as_often_as_the_programs_do() {
        let clip = vit_b_16();
        let image = |method: &str| {
            let config = published(method).expect("a method");
            step_gflop(&clip, &config, 0, false) / config.batch_size as f64
        };
        let once = image("coop");
        assert!((34.0..36.0).contains(&once), "{once}");
        assert!((image("kgcoop") - once).abs() < 1e-9);
        assert!((image("prograd") - 2.0 * once).abs() < 1e-9);
        // Forward and backward, with two or four more rows; PromptSRC's frozen pass besides.
        assert!((image("maple") / once - 2.0).abs() < 0.1);
        assert!((image("promptsrc") - image("ivlp") - once).abs() < 1e-9);
    }
}
