//! The frozen text tower as a graph.

use promptsrc_clip::tokenizer::EndOfText;
use promptsrc_onnx::{Attribute, Dim, Element, Value};

use super::block::{BlockShape, Rows};
use super::image_tower::BATCH;
use super::tower_weights::{TowerGraph, TowerWeights};

/// Name of the tokens in a graph: `[batch, sequence]`, padded behind the end of each text with anything that
/// is not greater than its end-of-text token.
pub(super) const TOKENS: &str = "input_ids";

/// Hides a row: its weight is 0 in single precision, and, unlike with an infinity, no runtime makes it NaN.
const HIDDEN: f32 = -1e9;

/// Adds the tower to a graph, and returns the features `[batch, embed_dim]`, not of unit length. Texts may be
/// as long as the tower has positions.
pub(super) fn add<'a>(graph: &mut TowerGraph<'a>, weights: &TowerWeights<'a>) -> Value {
    let config = weights.clip.config();
    let text = &config.text;
    let (width, heads, longest) = (text.width, text.heads, text.context_length);
    let shape = BlockShape {
        width,
        heads,
        activation: config.activation,
        epsilon: config.layer_norm_eps,
    };
    let tokens = graph.input(TOKENS, Element::I64, &[BATCH, Dim::Any("sequence")]);
    let sizes = graph.node("Shape", &[&tokens], &[]); // [2]
    let length = graph.node("Shape", &[&tokens], &[Attribute::Int("start", 1)]); // [1]
    let start = graph.integers(&[0]);

    let embedding = weights.whole(graph, "token_embedding.weight");
    let x = graph.node("Gather", &[&embedding, &tokens], &[]); // [batch, length, width]
    let positions = weights.whole(graph, "positional_embedding");
    let positions = graph.node("Slice", &[&positions, &start, &length, &start], &[]);
    let x = graph.node("Add", &[&x, &positions], &[]);

    let mut mask = vec![0.0; longest * longest];
    for (row, values) in mask.chunks_exact_mut(longest).enumerate() {
        values.iter_mut().skip(row + 1).for_each(|v| *v = HIDDEN);
    }
    let mask = graph.floats("causal_mask", &[longest, longest], mask);
    let both = graph.integers(&[0, 0]);
    let ends = graph.node("Concat", &[&length, &length], &[Attribute::Int("axis", 0)]);
    let axes = graph.integers(&[0, 1]);
    let mask = graph.node("Slice", &[&mask, &both, &ends, &axes], &[]); // [length, length]

    let rest = graph.integers(&[heads as i64, (width / heads) as i64]);
    let rows = Rows {
        heads: graph.node("Concat", &[&sizes, &rest], &[Attribute::Int("axis", 0)]),
        first: None,
    };
    let flat = graph.integers(&[-1, width as i64]);
    let mut x = graph.node("Reshape", &[&x, &flat], &[]); // [batch * length, width]
    for layer in 0..text.layers {
        let name = format!("transformer.resblocks.{layer}");
        x = shape.add(graph, weights, &name, &x, &rows, Some(&mask));
    }
    let rest = graph.integers(&[width as i64]);
    let whole = graph.node("Concat", &[&sizes, &rest], &[Attribute::Int("axis", 0)]);
    let x = graph.node("Reshape", &[&x, &whole], &[]); // [batch, length, width]

    // The first of the greatest, or of this id. Runtimes have no ArgMax of 64-bit integers.
    let marks = match text.end_of_text {
        EndOfText::Greatest => tokens,
        EndOfText::First(id) => {
            let id = graph.integer(i64::from(id));
            graph.node("Equal", &[&tokens, &id], &[])
        }
    };
    let to = i64::from(Element::I32.number());
    let marks = graph.node("Cast", &[&marks], &[Attribute::Int("to", to)]);
    let attributes = [Attribute::Int("axis", 1), Attribute::Int("keepdims", 1)];
    let end = graph.node("ArgMax", &[&marks], &attributes); // [batch, 1]
    let x = graph.node("GatherND", &[&x, &end], &[Attribute::Int("batch_dims", 1)]); // [batch, width]
    let x = weights.layer_norm(graph, "ln_final", &x, shape.epsilon);
    let projection = weights.whole(graph, "text_projection"); // [width, embed_dim]
    graph.node("MatMul", &[&x, &projection], &[])
}
