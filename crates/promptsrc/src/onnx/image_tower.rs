//! The image tower as a graph, with learned prompts folded in.

use burn::tensor::Tensor;
use promptsrc_clip::{WeightError, values};
use promptsrc_onnx::{Attribute, Dim, Element, Value};

use super::block::{BlockShape, Rows};
use super::tower_weights::{TowerGraph, TowerWeights};

/// Name of the images in a graph: `[batch, 3, resolution, resolution]`, normalised.
pub(super) const IMAGES: &str = "pixel_values";

/// Name of the axis over the images.
pub(super) const BATCH: Dim = Dim::Any("batch");

/// Adds the tower to a graph, and returns the features `[batch, embed_dim]`, not of unit length.
///
/// `prompts[l]` `[n_ctx, width]` enters at block `l`, as in
/// [`VisionTower::features`](promptsrc_clip::VisionTower::features).
///
/// # Errors
/// If the weights that are computed with here cannot be read.
pub(super) fn add<'a>(
    graph: &mut TowerGraph<'a>,
    weights: &TowerWeights<'a>,
    prompts: &[Tensor<2>],
) -> Result<Value, WeightError> {
    let config = weights.clip.config();
    let vision = &config.vision;
    let (width, size, patches) = (vision.width, vision.patch_size, vision.tokens() - 1);
    let shape = BlockShape {
        width,
        heads: vision.heads,
        activation: config.activation,
        epsilon: config.layer_norm_eps,
    };
    let side = Dim::Is(vision.resolution);
    let images = graph.input(IMAGES, Element::F32, &[BATCH, Dim::Is(3), side, side]);
    let batch = graph.node(
        "Shape",
        &[&images],
        &[Attribute::Int("start", 0), Attribute::Int("end", 1)],
    ); // [1]

    // What does not fill a patch at the right and at the bottom is not seen: no padding.
    let kernel = weights.whole(graph, "visual.conv1.weight");
    let stride = [size as i64; 2];
    let seen = graph.node(
        "Conv",
        &[&images, &kernel],
        &[
            Attribute::Ints("kernel_shape", &stride),
            Attribute::Ints("strides", &stride),
        ],
    ); // [batch, width, grid, grid]
    let flat = graph.integers(&[-1, width as i64, patches as i64]);
    let seen = graph.node("Reshape", &[&seen, &flat], &[]);
    let seen = graph.node(
        "Transpose",
        &[&seen],
        &[Attribute::Ints("perm", &[0, 2, 1])],
    );
    let positions = "visual.positional_embedding";
    let places = weights.rows(graph, positions, "patches", 1..1 + patches);
    let seen = graph.node("Add", &[&seen, &places], &[]); // [batch, patches, width]
    let mut class = weights.clip.f32("visual.class_embedding")?;
    let position = weights.clip.f32(positions)?;
    class.iter_mut().zip(&position).for_each(|(c, p)| *c += p);
    let class = graph.floats("visual.class_token", &[1, 1, width], class);
    let class = repeated(graph, &class, &batch, 1, width);
    let joined = [Some(class), Some(seen)];
    let first = prompts.first();
    let prompt = first.map(|prompt| prompt_of(graph, prompt, 0, &batch, width));
    let tokens: Vec<Value> = joined.into_iter().chain([prompt]).flatten().collect();
    let tokens = concatenated(graph, &tokens);
    let tokens = weights.layer_norm(graph, "visual.ln_pre", &tokens, shape.epsilon);
    let mut length = 1 + patches + first.map_or(0, |prompt| prompt.dims()[0]);
    let flat = graph.integers(&[-1, width as i64]);
    let mut x = graph.node("Reshape", &[&tokens, &flat], &[]); // [batch * length, width]

    for layer in 0..vision.layers {
        if let Some(prompt) = prompts.get(layer).filter(|_| layer > 0) {
            let sequences = graph.integers(&[-1, length as i64, width as i64]);
            let all = graph.node("Reshape", &[&x, &sequences], &[]);
            let [start, end, axis] = [0, 1 + patches as i64, 1].map(|n| graph.integers(&[n]));
            // [batch, 1 + patches, width]
            let image = graph.node("Slice", &[&all, &start, &end, &axis], &[]);
            length = 1 + patches + prompt.dims()[0];
            let prompt = prompt_of(graph, prompt, layer, &batch, width);
            let tokens = concatenated(graph, &[image, prompt]);
            x = graph.node("Reshape", &[&tokens, &flat], &[]);
        }
        let [length, width, heads] = [length, width, shape.heads].map(|n| n as i64);
        // Of the last block only the class token is read.
        let is_last = layer + 1 == vision.layers;
        let rows = Rows {
            heads: graph.integers(&[-1, length, heads, width / heads]),
            first: is_last.then(|| graph.integers(&[-1, length, width])),
        };
        let name = format!("visual.transformer.resblocks.{layer}");
        x = shape.add(graph, weights, &name, &x, &rows, None);
    }
    let class = weights.layer_norm(graph, "visual.ln_post", &x, shape.epsilon); // [batch, width]
    let projection = weights.whole(graph, "visual.proj"); // [width, embed_dim]
    Ok(graph.node("MatMul", &[&class, &projection], &[]))
}

/// The prompt of a layer for each image: `[batch, n_ctx, width]`.
fn prompt_of(
    graph: &mut TowerGraph,
    prompt: &Tensor<2>,
    layer: usize,
    batch: &Value,
    width: usize,
) -> Value {
    let [n_ctx, _] = prompt.dims();
    let name = format!("visual.prompts.{layer}");
    let prompt = graph.floats(&name, &[1, n_ctx, width], values(prompt.clone()));
    repeated(graph, &prompt, batch, n_ctx, width)
}

/// `[1, rows, width]` -> `[batch, rows, width]`.
fn repeated(graph: &mut TowerGraph, x: &Value, batch: &Value, rows: usize, width: usize) -> Value {
    let rest = graph.integers(&[rows as i64, width as i64]);
    let shape = graph.node("Concat", &[batch, &rest], &[Attribute::Int("axis", 0)]);
    graph.node("Expand", &[x, &shape], &[])
}

/// Tokens of the same images, one after another.
fn concatenated(graph: &mut TowerGraph, parts: &[Value]) -> Value {
    let parts: Vec<&Value> = parts.iter().collect();
    graph.node("Concat", &parts, &[Attribute::Int("axis", 1)])
}
