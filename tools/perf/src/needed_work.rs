//! The arithmetic that a training step needs, counted.
//!
//! It counts the matrix products of the exact plan (each row that is read, once, and no gradient of
//! a weight), two operations per multiplication. It counts neither what an implementation
//! recomputes in the backward pass nor anything but products of the towers' blocks and the patches:
//! the small learned layers of MaPLe and CoCoOp are less than a thousandth of a step.

use std::ops::Range;

use promptsrc::TrainConfig;
use promptsrc::config::Guidance;
use promptsrc_clip::ClipConfig;

use crate::text_rows::TextRows;

/// What one layer multiplies. Only rows and pairs that depend on learned values have a gradient;
/// keys, values and queries of the others are constants.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Layer {
    /// Rows whose key and value are not constant.
    keys: f64,
    /// Rows whose query is read and not constant.
    queries: f64,
    /// Rows whose outputs are read.
    live: f64,
    /// Pairs of a live row and a row that it attends to.
    pairs: f64,
    /// Of these, the pairs whose query is not constant.
    query_pairs: f64,
    /// Of these, the pairs whose key is not constant.
    key_pairs: f64,
}

impl Layer {
    /// The key, value and query of a row, its way out of attention (1) and the MLP (8).
    fn rows(&self, width: f64) -> f64 {
        (2.0 * self.keys + self.queries + 9.0 * self.live) * 2.0 * width * width
    }

    /// Two products per pair: its score, and its share of the weighted sum of values.
    fn forward(&self, width: f64) -> f64 {
        self.rows(width) + 4.0 * width * self.pairs
    }

    /// The same products with their transposes. Of each pair, the slope of its weight; that of its
    /// query, and those of its key and value.
    fn backward(&self, width: f64) -> f64 {
        self.rows(width)
            + width * (2.0 * self.pairs + 2.0 * self.query_pairs + 4.0 * self.key_pairs)
    }

    /// Adds a causal sequence that begins after start-of-text and the rows `before`. For each row of
    /// both: whether its input depends on learned values. The outputs of the rows in `live` are read.
    fn add_causal(&mut self, before: &[bool], own: &[bool], live: Range<usize>) {
        let mut seen = (1 + before.len()) as f64;
        let mut seen_learned = before.iter().filter(|learned| **learned).count() as f64;
        for (i, learned) in own.iter().enumerate() {
            let learned = f64::from(u8::from(*learned));
            seen += 1.0;
            seen_learned += learned;
            self.keys += learned;
            if live.contains(&i) {
                self.live += 1.0;
                self.queries += learned;
                self.pairs += seen;
                self.query_pairs += learned * seen;
                self.key_pairs += seen_learned;
            }
        }
    }
}

/// GFLOP of one training step, for the batch of the configuration.
pub fn step_gflop(clip: &ClipConfig, config: &TrainConfig, texts: &TextRows) -> f64 {
    let batch = config.batch_size;
    let student = image(clip, config, batch, true);
    let teacher = match config.regularisation {
        Some(_) => image(clip, config, batch, false),
        None => 0.0,
    };
    let passes = text_passes(config, texts) as f64;
    (student + teacher + stem(clip, batch) + passes * text(clip, config, texts)) / 1e9
}

/// How often a step goes through the text tower, forward and backward.
fn text_passes(config: &TrainConfig, texts: &TextRows) -> usize {
    let images = if texts.per_image {
        config.batch_size
    } else {
        1
    };
    match config.guidance {
        // Once for each of the two losses whose gradients are compared.
        Some(Guidance::GradientProjection { .. }) => 2 * images,
        _ => images,
    }
}

/// GFLOP of the features of prompted images.
pub fn encode_gflop(clip: &ClipConfig, config: &TrainConfig, batch: usize) -> f64 {
    let width = clip.vision.width as f64;
    let forward: f64 = (0..clip.vision.layers)
        .map(|l| image_layer(clip, config, batch, true, l).forward(width))
        .sum();
    (stem(clip, batch) + forward) / 1e9
}

/// Patches, and the constant half of the image tower's first layer.
fn stem(clip: &ClipConfig, batch: usize) -> f64 {
    let patches = (batch * (clip.vision.tokens() - 1)) as f64;
    patches * 2.0 * (3 * clip.vision.patch_size.pow(2) * clip.vision.width) as f64
        + (batch * clip.vision.tokens()) as f64 * 6.0 * (clip.vision.width as f64).powi(2)
}

/// Image layers that have prompts.
fn vision_depth(clip: &ClipConfig, config: &TrainConfig) -> usize {
    config.prompts.depth_vision.min(clip.vision.layers)
}

fn image_layer(
    clip: &ClipConfig,
    config: &TrainConfig,
    batch: usize,
    prompted: bool,
    l: usize,
) -> Layer {
    let depth = if prompted {
        vision_depth(clip, config)
    } else {
        0
    };
    let last = l + 1 == clip.vision.layers;
    let (batch, tokens) = (batch as f64, clip.vision.tokens() as f64);
    let n_ctx = config.prompts.n_ctx_vision as f64;
    // From the last prompted layer on, each image's prompt tokens are rows like any other.
    let joined = depth > 0 && l + 1 >= depth;
    let own = if joined { tokens + n_ctx } else { tokens };
    let shared = if l < depth && !joined { n_ctx } else { 0.0 };
    let live = if last { batch } else { batch * own };
    let pairs = live * (own + shared);
    if l > 0 {
        return Layer {
            keys: batch * own + shared,
            queries: live,
            live,
            pairs,
            query_pairs: pairs,
            key_pairs: pairs,
        };
    }
    // In the first layer only prompts are not constant; the rest of it is the stem.
    let prompts = if joined { batch * n_ctx } else { 0.0 };
    Layer {
        keys: prompts + shared,
        queries: prompts,
        live,
        pairs,
        query_pairs: prompts * own,
        key_pairs: if depth > 0 { live * n_ctx } else { 0.0 },
    }
}

fn image(clip: &ClipConfig, config: &TrainConfig, batch: usize, prompted: bool) -> f64 {
    let width = clip.vision.width as f64;
    // Without visual prompts nothing that is learned lies behind the image tower's output.
    let has_gradient = prompted && vision_depth(clip, config) > 0;
    (0..clip.vision.layers)
        .map(|l| {
            let layer = image_layer(clip, config, batch, prompted, l);
            let backward = match has_gradient {
                true => layer.backward(width),
                false => 0.0,
            };
            layer.forward(width) + backward
        })
        .sum()
}

/// One layer of the text tower: the rows that all classes share, then each class's own.
fn text_layer(clip: &ClipConfig, config: &TrainConfig, texts: &TextRows, l: usize) -> Layer {
    let last = l + 1 == clip.text.layers;
    let shared_rows = texts.context + texts.kept;
    let mut shared = vec![true; shared_rows];
    if l == 0 {
        // Only the context is not constant yet.
        shared[texts.context..].fill(false);
    }
    // Below the prompt depth a prompt overwrites the context rows; after it they go through the
    // blocks themselves, except the last.
    let live = match (last, l + 1 < config.prompts.depth_text) {
        (true, _) => shared_rows..shared_rows,
        (false, true) => texts.context..shared_rows,
        (false, false) => 0..shared_rows,
    };
    let mut layer = Layer::default();
    layer.add_causal(&[], &shared, live);
    for own in &texts.own {
        let live = if last {
            own.len() - 1..own.len()
        } else {
            0..own.len()
        };
        let deep;
        let depends = match l {
            0 => own,
            _ => {
                deep = vec![true; own.len()];
                &deep
            }
        };
        layer.add_causal(&shared, depends, live);
    }
    layer
}

fn text(clip: &ClipConfig, config: &TrainConfig, texts: &TextRows) -> f64 {
    let width = clip.text.width as f64;
    (0..clip.text.layers)
        .map(|l| {
            let layer = text_layer(clip, config, texts, l);
            layer.forward(width) + layer.backward(width)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_method::published;
    use crate::random_clip::vit_b_16;

    fn shared(context: usize, classes: usize, rows: usize) -> TextRows {
        TextRows {
            context,
            kept: 0,
            own: vec![vec![false; rows]; classes],
            per_image: false,
        }
    }

    fn two_layers() -> ClipConfig {
        let mut clip = vit_b_16();
        clip.text.layers = 2;
        clip.vision.layers = 2;
        clip
    }

    #[test]
    fn a_step_of_vit_b_16_costs_what_the_plan_says() {
        let clip = vit_b_16();
        let config = published("promptsrc").expect("promptsrc");
        let of = |classes: usize| step_gflop(&clip, &config, &shared(4, classes, 5));
        // 390 + 0.75 per class, in round numbers.
        assert!((375.0..400.0).contains(&of(0)), "{}", of(0));
        let class = (of(1000) - of(0)) / 1000.0;
        assert!((0.68..0.78).contains(&class), "{class}");
    }

    /// Counted by hand: start-of-text, one context row, and one class of two own rows (a name and
    /// end-of-text), in two layers with a prompt at the input only.
    #[test]
    fn the_layers_of_a_shared_context_are_those_counted_by_hand() {
        let (clip, config) = (two_layers(), published("coop").expect("coop"));
        let texts = shared(1, 1, 2);
        // The context sees itself and the start, the name one row more, the end yet one more.
        let first = Layer {
            keys: 1.0,
            queries: 1.0,
            live: 3.0,
            pairs: 2.0 + 3.0 + 4.0,
            query_pairs: 2.0,
            key_pairs: 3.0,
        };
        assert_eq!(text_layer(&clip, &config, &texts, 0), first);
        // Only the end is read; it sees four rows, of which all but the start have a gradient.
        let last = Layer {
            keys: 3.0,
            queries: 1.0,
            live: 1.0,
            pairs: 4.0,
            query_pairs: 4.0,
            key_pairs: 3.0,
        };
        assert_eq!(text_layer(&clip, &config, &texts, 1), last);

        // 2 * 1 + 1 + 9 * 3 matrices of 512 x 512 for rows, and two products for each pair.
        let forward = 30.0 * 2.0 * 512.0 * 512.0 + 9.0 * 4.0 * 512.0;
        assert_eq!(first.forward(512.0), forward);
        let backward = 30.0 * 2.0 * 512.0 * 512.0 + 512.0 * (2.0 * 9.0 + 2.0 * 2.0 + 4.0 * 3.0);
        assert_eq!(first.backward(512.0), backward);
    }

    /// The same text with the context among the class's own rows, and with its second layer's prompt.
    #[test]
    fn a_context_of_each_class_costs_its_rows_again_and_a_deep_prompt_saves_them() {
        let (clip, mut config) = (two_layers(), published("coop").expect("coop"));
        let mut own = shared(0, 1, 3);
        own.own[0][0] = true;
        for l in [0, 1] {
            let shared = text_layer(&clip, &config, &shared(1, 1, 2), l);
            assert_eq!(text_layer(&clip, &config, &own, l), shared);
        }
        // For two classes it is twice as much; a shared context is counted once.
        own.own.push(own.own[0].clone());
        let first = |texts: &TextRows| text_layer(&clip, &config, texts, 0);
        assert_eq!((first(&own).keys, first(&own).live), (2.0, 6.0));
        let both = shared(1, 2, 2);
        assert_eq!((first(&both).keys, first(&both).live), (1.0, 5.0));

        config.prompts.depth_text = 2;
        let deep = text_layer(&clip, &config, &shared(1, 1, 2), 0);
        assert_eq!((deep.queries, deep.live, deep.pairs), (0.0, 2.0, 7.0));
        // Words that are kept after the context are needed in spite of the prompt.
        let kept = TextRows {
            kept: 1,
            ..shared(1, 1, 2)
        };
        let deep = text_layer(&clip, &config, &kept, 0);
        assert_eq!((deep.keys, deep.live), (1.0, 3.0));
        assert_eq!(deep.pairs, 3.0 + 4.0 + 5.0);
    }

    #[test]
    fn without_visual_prompts_the_image_tower_has_no_backward_pass() {
        let clip = two_layers();
        let coop = published("coop").expect("coop");
        let (tokens, width) = (197.0, 768.0);
        // First layer: attention and nine matrices of every row; last: keys and values of every
        // row, the rest of one row.
        let first = tokens * 9.0 * 2.0 * width * width + tokens * tokens * 4.0 * width;
        let last = (2.0 * tokens + 10.0) * 2.0 * width * width + tokens * 4.0 * width;
        assert_eq!(image(&clip, &coop, 1, true), first + last);
        let maple = published("maple").expect("maple");
        assert!(image(&clip, &maple, 1, true) > 1.9 * (first + last));
    }

    #[test]
    fn the_text_tower_runs_once_per_image_or_once_per_loss_where_a_method_says_so() {
        let clip = vit_b_16();
        let passes = |method: &str, batch: usize| {
            let mut config = published(method).expect("a method");
            config.batch_size = batch;
            let names = ["cat".to_string(), "dog".to_string()];
            let texts = TextRows::of(&config, &names, 77).expect("short names");
            let none = TextRows {
                own: Vec::new(),
                context: 0,
                kept: 0,
                ..texts
            };
            let text = step_gflop(&clip, &config, &texts) - step_gflop(&clip, &config, &none);
            text * 1e9 / super::text(&clip, &config, &texts)
        };
        for (method, batch, expected) in [
            ("coop", 3, 1.0),
            ("kgcoop", 3, 1.0),
            ("maple", 3, 1.0),
            ("cocoop", 1, 1.0),
            ("cocoop", 3, 3.0),
            ("prograd", 3, 2.0),
        ] {
            let found = passes(method, batch);
            assert!((found - expected).abs() < 1e-6, "{method}: {found}");
        }
    }
}
