//! The arithmetic that a training step needs, counted.
//!
//! It counts the matrix products of the exact plan (each row that is read, once, and no gradient of
//! a weight), two operations per multiplication. It counts neither what an implementation
//! recomputes in the backward pass nor anything but products.

use promptsrc::TrainConfig;
use promptsrc_clip::ClipConfig;

/// A tower, as far as its products depend on it.
struct Tower {
    width: f64,
    layers: usize,
    /// Depth and length of the prompts; 0 for the frozen pass.
    depth: usize,
    n_ctx: f64,
}

/// Rows of one layer.
#[derive(Clone, Copy)]
struct Layer {
    /// Rows of all sequences.
    rows: f64,
    /// Rows that all sequences attend to, computed once.
    shared: f64,
    /// Rows whose outputs are read.
    live: f64,
    /// Pairs of a live row and a row that it attends to.
    pairs: f64,
    /// Whether the query, key and value projections of the rows are constant.
    constant: bool,
}

impl Tower {
    fn row(&self) -> f64 {
        2.0 * self.width * self.width
    }

    /// Two products per pair: its score, and its share of the weighted sum of values.
    fn forward(&self, l: Layer) -> f64 {
        let projected = if l.constant {
            0.0
        } else {
            2.0 * l.rows + l.live
        };
        (projected + 2.0 * l.shared + 9.0 * l.live) * self.row() + 4.0 * self.width * l.pairs
    }

    /// The same products with their transposes; two more per pair.
    fn backward(&self, l: Layer, first: bool) -> f64 {
        let projected = if first { 0.0 } else { 2.0 * l.rows + l.live };
        // In the first layer only the prompts' keys and values have a gradient.
        let pairs = if first {
            2.0 * l.pairs + 4.0 * l.live * l.shared
        } else {
            8.0 * l.pairs
        };
        (projected + 2.0 * l.shared + 9.0 * l.live) * self.row() + self.width * pairs
    }
}

/// GFLOP of one training step; `own` are the lengths of the class texts after the shared prefix
/// of start-of-text and context.
pub fn step_gflop(clip: &ClipConfig, config: &TrainConfig, batch: usize, own: &[usize]) -> f64 {
    let student = image(clip, config, batch, true);
    let teacher = if config.regularisation.is_some() {
        image(clip, config, batch, false)
    } else {
        0.0
    };
    (student + teacher + stem(clip, batch) + text(clip, config, own)) / 1e9
}

/// GFLOP of the features of prompted images.
pub fn encode_gflop(clip: &ClipConfig, config: &TrainConfig, batch: usize) -> f64 {
    let tower = vision_tower(clip, config, true);
    let forward: f64 = (0..tower.layers)
        .map(|l| tower.forward(image_layer(&tower, clip, batch, l)))
        .sum();
    (stem(clip, batch) + forward) / 1e9
}

/// Patches, and the constant half of the image tower's first layer.
fn stem(clip: &ClipConfig, batch: usize) -> f64 {
    let patches = (batch * (clip.vision.tokens() - 1)) as f64;
    patches * 2.0 * (3 * clip.vision.patch_size.pow(2) * clip.vision.width) as f64
        + (batch * clip.vision.tokens()) as f64 * 6.0 * (clip.vision.width as f64).powi(2)
}

fn vision_tower(clip: &ClipConfig, config: &TrainConfig, prompted: bool) -> Tower {
    Tower {
        width: clip.vision.width as f64,
        layers: clip.vision.layers,
        depth: if prompted {
            config.prompts.depth_vision.min(clip.vision.layers)
        } else {
            0
        },
        n_ctx: config.prompts.n_ctx_vision as f64,
    }
}

fn image_layer(tower: &Tower, clip: &ClipConfig, batch: usize, l: usize) -> Layer {
    let batch = batch as f64;
    let tokens = clip.vision.tokens() as f64;
    // From the last prompted layer on, each image's prompt tokens are rows like any other.
    let joined = tower.depth > 0 && l + 1 >= tower.depth;
    let own = if joined { tokens + tower.n_ctx } else { tokens };
    let shared = if l < tower.depth && !joined {
        tower.n_ctx
    } else {
        0.0
    };
    let live = if l + 1 == tower.layers {
        batch
    } else {
        batch * own
    };
    Layer {
        rows: batch * own,
        shared,
        live,
        pairs: live * (own + shared),
        constant: l == 0,
    }
}

fn image(clip: &ClipConfig, config: &TrainConfig, batch: usize, prompted: bool) -> f64 {
    let tower = vision_tower(clip, config, prompted);
    (0..tower.layers)
        .map(|l| {
            let layer = image_layer(&tower, clip, batch, l);
            let backward = if prompted && tower.depth > 0 {
                tower.backward(layer, l == 0)
            } else {
                0.0
            };
            tower.forward(layer) + backward
        })
        .sum()
}

fn text(clip: &ClipConfig, config: &TrainConfig, own: &[usize]) -> f64 {
    let tower = Tower {
        width: clip.text.width as f64,
        layers: clip.text.layers,
        depth: config.prompts.depth_text.min(clip.text.layers),
        n_ctx: config.prompts.n_ctx_text as f64,
    };
    let rows: usize = own.iter().sum();
    let prefix = 1.0 + tower.n_ctx;
    let pairs = |live: &dyn Fn(f64) -> f64| -> f64 { own.iter().map(|n| live(*n as f64)).sum() };
    (0..tower.layers)
        .map(|l| {
            let last = l + 1 == tower.layers;
            let layer = Layer {
                rows: rows as f64,
                shared: tower.n_ctx,
                live: if last { own.len() as f64 } else { rows as f64 },
                pairs: if last {
                    pairs(&|n| prefix + n)
                } else {
                    pairs(&|n| n * prefix + n * (n + 1.0) / 2.0)
                },
                constant: l == 0,
            };
            let mut sum = tower.forward(layer) + tower.backward(layer, l == 0);
            // Below the prompt depth a prompt overwrites the context rows; after it they go through
            // the blocks themselves, except the last.
            if l + 1 >= tower.depth && !last {
                let context = Layer {
                    rows: 0.0,
                    shared: 0.0,
                    live: tower.n_ctx,
                    pairs: tower.n_ctx * (tower.n_ctx + 3.0) / 2.0,
                    constant: false,
                };
                sum += tower.forward(context) + tower.backward(context, false);
            }
            sum
        })
        .sum()
}

/// Shapes of a tower's products, `(inputs, outputs)`.
pub fn products(clip: &ClipConfig) -> [(usize, usize); 4] {
    let width = clip.vision.width;
    let hidden = clip.vision.mlp_width;
    [
        (width, 3 * width),
        (width, width),
        (width, hidden),
        (hidden, width),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_vit_b_16_costs_what_the_plan_says() {
        let clip = crate::random_clip::vit_b_16();
        let config = crate::step::config(4);
        let of = |classes: usize| step_gflop(&clip, &config, 4, &vec![5; classes]);
        // 390 + 0.75 per class, in round numbers.
        assert!((375.0..400.0).contains(&of(0)), "{}", of(0));
        let class = (of(1000) - of(0)) / 1000.0;
        assert!((0.68..0.78).contains(&class), "{class}");
    }
}
