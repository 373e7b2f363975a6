//! A residual attention block as operators of a graph: the function of
//! [`plain`](promptsrc_clip::plain) on rows `[sequences * length, width]`.

use promptsrc_clip::Activation;
use promptsrc_onnx::{Attribute, Value};

use super::tower_weights::{TowerGraph, TowerWeights, linear};

/// What the blocks of a tower have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockShape {
    pub width: usize,
    pub heads: usize,
    pub activation: Activation,
    /// Added to the variance in layer normalisation.
    pub epsilon: f32,
}

/// The rows that a block is given, `[sequences * length, width]`.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// `[-1, length, heads, head_dim]`, by which rows become heads.
    pub heads: Value,
    /// `[-1, length, width]`, by which rows become sequences, where only the first of each sequence is
    /// needed from the block.
    pub first: Option<Value>,
}

impl BlockShape {
    /// Adds the block `name` to a graph. `mask` is added to the scores. The result has a row for each row,
    /// or one for each sequence.
    pub fn add<'a>(
        &self,
        graph: &mut TowerGraph<'a>,
        weights: &TowerWeights<'a>,
        name: &str,
        x: &Value,
        rows: &Rows,
        mask: Option<&Value>,
    ) -> Value {
        let h = weights.layer_norm(graph, &format!("{name}.ln_1"), x, self.epsilon);
        let key = self.project(graph, weights, name, &h, "key", 1);
        let value = self.project(graph, weights, name, &h, "value", 2);
        let (x, h, heads) = match &rows.first {
            None => (x.clone(), h, rows.heads.clone()),
            Some(sequences) => {
                let [width, heads] = [self.width, self.heads].map(|n| n as i64);
                let one = graph.integers(&[-1, 1, heads, width / heads]);
                let first = |graph: &mut TowerGraph<'a>, x: &Value| {
                    let x = graph.node("Reshape", &[x, sequences], &[]);
                    let place = graph.integer(0);
                    graph.node("Gather", &[&x, &place], &[Attribute::Int("axis", 1)])
                };
                (first(graph, x), first(graph, &h), one)
            }
        };
        let query = self.project(graph, weights, name, &h, "query", 0);
        // [sequences, heads, queries, head_dim]
        let query = graph.node("Reshape", &[&query, &heads], &[]);
        let query = transposed(graph, &query, [0, 2, 1, 3]);
        let scale = (self.width as f64 / self.heads as f64).powf(-0.5) as f32;
        let scale = graph.floats(&format!("{name}.attn.scale"), &[], vec![scale]);
        let query = graph.node("Mul", &[&query, &scale], &[]);
        let key = graph.node("Reshape", &[&key, &rows.heads], &[]);
        let key = transposed(graph, &key, [0, 2, 3, 1]); // [sequences, heads, head_dim, length]
        let value = graph.node("Reshape", &[&value, &rows.heads], &[]);
        let value = transposed(graph, &value, [0, 2, 1, 3]); // [sequences, heads, length, head_dim]
        let mut scores = graph.node("MatMul", &[&query, &key], &[]);
        if let Some(mask) = mask {
            scores = graph.node("Add", &[&scores, mask], &[]);
        }
        let seen = graph.node("Softmax", &[&scores], &[Attribute::Int("axis", -1)]);
        let mixed = graph.node("MatMul", &[&seen, &value], &[]);
        let mixed = transposed(graph, &mixed, [0, 2, 1, 3]);
        let flat = graph.integers(&[-1, self.width as i64]);
        let mixed = graph.node("Reshape", &[&mixed, &flat], &[]);
        let mixed = weights.linear(graph, &format!("{name}.attn.out_proj"), &mixed);
        let x = graph.node("Add", &[&x, &mixed], &[]);

        let h = weights.layer_norm(graph, &format!("{name}.ln_2"), &x, self.epsilon);
        let h = weights.linear(graph, &format!("{name}.mlp.c_fc"), &h);
        let h = self.activate(graph, name, &h);
        let h = weights.linear(graph, &format!("{name}.mlp.c_proj"), &h);
        graph.node("Add", &[&x, &h], &[])
    }

    /// Queries, keys or values: one of the three parts of the joint layer.
    fn project<'a>(
        &self,
        graph: &mut TowerGraph<'a>,
        weights: &TowerWeights<'a>,
        name: &str,
        x: &Value,
        part: &str,
        place: usize,
    ) -> Value {
        let rows = place * self.width..(place + 1) * self.width;
        let joint = |kind: &str| format!("{name}.attn.in_proj_{kind}");
        let weight = weights.rows(graph, &joint("weight"), part, rows.clone());
        let bias = weights.rows(graph, &joint("bias"), part, rows);
        linear(graph, x, &weight, Some(&bias))
    }

    fn activate(&self, graph: &mut TowerGraph, name: &str, x: &Value) -> Value {
        let constant = |graph: &mut TowerGraph, what: &str, value: f64| {
            graph.floats(&format!("{name}.mlp.{what}"), &[], vec![value as f32])
        };
        match self.activation {
            Activation::QuickGelu => {
                let factor = constant(graph, "slope", 1.702);
                let slope = graph.node("Mul", &[x, &factor], &[]);
                let gate = graph.node("Sigmoid", &[&slope], &[]);
                graph.node("Mul", &[x, &gate], &[])
            }
            // x / 2 * (1 + erf(x / sqrt(2)))
            Activation::Gelu => {
                let root = constant(graph, "root_of_two", std::f64::consts::SQRT_2);
                let one = constant(graph, "one", 1.0);
                let half = constant(graph, "half", 0.5);
                let error = graph.node("Div", &[x, &root], &[]);
                let error = graph.node("Erf", &[&error], &[]);
                let gate = graph.node("Add", &[&error, &one], &[]);
                let gated = graph.node("Mul", &[x, &gate], &[]);
                graph.node("Mul", &[&gated, &half], &[])
            }
        }
    }
}

fn transposed(graph: &mut TowerGraph, x: &Value, axes: [i64; 4]) -> Value {
    graph.node("Transpose", &[x], &[Attribute::Ints("perm", &axes)])
}
