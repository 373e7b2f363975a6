//! What turns image features into logits, as operators of a graph.

use burn::tensor::Tensor;
use promptsrc_clip::{unit, values};
use promptsrc_heads::{ClipAdapter, Head as _, TipAdapter};
use promptsrc_onnx::{Attribute, Graph, Value};

use super::tower_weights::linear;
use crate::head::Head;

/// Unit class features `[classes, dim]` as a matrix of the graph: `scale` times their cosines with the image
/// features.
pub(super) fn cosines<E>(
    graph: &mut Graph<'_, E>,
    features: &Value,
    classes: &[f32],
    dim: usize,
    scale: f32,
) -> Value {
    let unit = unit_rows(graph, features);
    scaled_cosines(graph, &unit, classes, dim, scale)
}

/// The logits `[batch, classes]` of a head on frozen image features. `text`: the unit text features that it
/// needs.
pub(super) fn of_head<E>(
    graph: &mut Graph<'_, E>,
    features: &Value,
    head: &Head,
    text: &[f32],
) -> Value {
    let dim = head.dim();
    match head {
        Head::LinearProbe(head) => affine(graph, features, head.weight(), head.bias()),
        Head::Prototypes(head) => {
            let classes = unit_of(head.prototypes(), dim);
            cosines(graph, features, &classes, dim, head.logit_scale())
        }
        // w . f + b + alpha (t . f) = (w + alpha t) . f + b
        Head::Lpp(head) => {
            let text = head.text_features().chunks_exact(dim);
            let rows = head.weight().chunks_exact(dim).zip(text);
            let joint = rows.zip(head.alpha()).flat_map(|((weight, text), alpha)| {
                let both = weight.iter().zip(text);
                both.map(move |(w, t)| (f64::from(*w) + f64::from(*alpha) * f64::from(*t)) as f32)
            });
            let weight: Vec<f32> = joint.collect();
            let unit = unit_rows(graph, features);
            affine(graph, &unit, &weight, head.bias())
        }
        Head::TipAdapter(head) => with_cache(graph, features, head),
        Head::ClipAdapter(head) => blended(graph, features, head, text),
    }
}

/// `scale * f . w + alpha * sum over the cached rows of a class of exp(-(beta - beta f . key))`.
fn with_cache<E>(graph: &mut Graph<'_, E>, features: &Value, head: &TipAdapter) -> Value {
    let (dim, rows) = (head.dim(), head.labels().len());
    let unit = unit_rows(graph, features);
    let texts = head.text_features();
    let logits = scaled_cosines(graph, &unit, texts, dim, head.logit_scale());
    // A subset of the classes may have no cached row.
    if rows == 0 {
        return logits;
    }
    let keys = graph.floats("cache_keys", &[rows, dim], head.keys().to_vec());
    let affinities = linear(graph, &unit, &keys, None); // [batch, rows]
    let beta = graph.floats("beta", &[], vec![head.beta()]);
    let scaled = graph.node("Mul", &[&affinities, &beta], &[]);
    let below = graph.node("Sub", &[&scaled, &beta], &[]);
    let weights = graph.node("Exp", &[&below], &[]);
    let classes = graph.floats("cache_values", &[rows, head.classes()], head.values());
    let sums = graph.node("MatMul", &[&weights, &classes], &[]); // [batch, classes]
    let alpha = graph.floats("alpha", &[], vec![head.alpha()]);
    let cached = graph.node("Mul", &[&sums, &alpha], &[]);
    graph.node("Add", &[&logits, &cached], &[])
}

/// Cosines of the texts and the blend of the features with what a small network makes of them.
fn blended<E>(
    graph: &mut Graph<'_, E>,
    features: &Value,
    head: &ClipAdapter,
    text: &[f32],
) -> Value {
    let (dim, hidden) = (head.dim(), head.hidden());
    let down = graph.floats("adapter.fc.0.weight", &[hidden, dim], head.down().to_vec());
    let up = graph.floats("adapter.fc.2.weight", &[dim, hidden], head.up().to_vec());
    let mut x = features.clone();
    for weight in [&down, &up] {
        x = linear(graph, &x, weight, None);
        x = graph.node("Relu", &[&x], &[]);
    }
    let ratio = graph.floats("ratio", &[], vec![head.ratio()]);
    let rest = (1.0 - f64::from(head.ratio())) as f32;
    let rest = graph.floats("rest", &[], vec![rest]);
    let learned = graph.node("Mul", &[&x, &ratio], &[]);
    let kept = graph.node("Mul", &[features, &rest], &[]);
    let blend = graph.node("Add", &[&learned, &kept], &[]);
    cosines(graph, &blend, &unit_of(text, dim), dim, head.logit_scale())
}

fn scaled_cosines<E>(
    graph: &mut Graph<'_, E>,
    unit: &Value,
    classes: &[f32],
    dim: usize,
    scale: f32,
) -> Value {
    let shape = [classes.len() / dim, dim];
    let classes = graph.floats("class_features", &shape, classes.to_vec());
    let cosines = linear(graph, unit, &classes, None);
    let scale = graph.floats("logit_scale", &[], vec![scale]);
    graph.node("Mul", &[&cosines, &scale], &[])
}

/// `x w + b` with a row of `w` for each class.
fn affine<E>(graph: &mut Graph<'_, E>, x: &Value, weight: &[f32], bias: &[f32]) -> Value {
    let shape = [bias.len(), weight.len() / bias.len().max(1)];
    let weight = graph.floats("class_weights", &shape, weight.to_vec());
    let bias = graph.floats("class_bias", &[bias.len()], bias.to_vec());
    linear(graph, x, &weight, Some(&bias))
}

/// Rows divided by their Euclidean length.
fn unit_rows<E>(graph: &mut Graph<'_, E>, x: &Value) -> Value {
    let attributes = [Attribute::Ints("axes", &[1]), Attribute::Int("keepdims", 1)];
    let length = graph.node("ReduceL2", &[x], &attributes);
    graph.node("Div", &[x, &length], &[])
}

/// As [`unit_rows`], of numbers at hand.
fn unit_of(rows: &[f32], dim: usize) -> Vec<f32> {
    let data = burn::tensor::TensorData::new(rows.to_vec(), [rows.len() / dim.max(1), dim]);
    values(unit(Tensor::from_data(data, &Default::default())))
}
