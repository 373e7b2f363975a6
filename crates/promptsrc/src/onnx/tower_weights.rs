//! The weights of a CLIP as constants of a graph, by their names in OpenAI's state dict.

use std::ops::Range;

use promptsrc_clip::{ClipWeights, WeightError};
use promptsrc_onnx::{Attribute, Graph, Storage, Value};

/// A graph whose weights are those of a CLIP.
pub(super) type TowerGraph<'a> = Graph<'a, WeightError>;

/// Puts weights of a CLIP into graphs.
#[derive(Clone, Copy, Debug)]
pub(super) struct TowerWeights<'a> {
    pub clip: &'a ClipWeights,
    /// Of everything but vectors, which are few and sensitive: they stay f32.
    pub storage: Storage,
}

impl<'a> TowerWeights<'a> {
    /// Extents of a tensor's axes. That of one that is missing, which opening the file excludes, is an
    /// error where it is read.
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.clip
            .shape(name)
            .map_or_else(Vec::new, <[usize]>::to_vec)
    }

    /// A tensor as it is.
    pub fn whole(&self, graph: &mut TowerGraph<'a>, name: &str) -> Value {
        let shape = self.shape(name);
        let storage = match shape.len() {
            0 | 1 => Storage::F32,
            _ => self.storage,
        };
        let (clip, key) = (self.clip, name.to_string());
        graph.weight(name, &shape, storage, move || clip.f32(&key))
    }

    /// Some rows of a matrix, or some numbers of a vector; `part` says which in the constant's name.
    pub fn rows(
        &self,
        graph: &mut TowerGraph<'a>,
        name: &str,
        part: &str,
        rows: Range<usize>,
    ) -> Value {
        let mut shape = self.shape(name);
        let storage = match shape.len() {
            0 | 1 => Storage::F32,
            _ => self.storage,
        };
        let row: usize = shape.iter().skip(1).product();
        if let Some(first) = shape.first_mut() {
            *first = rows.len();
        }
        let (clip, key) = (self.clip, name.to_string());
        let read = move || {
            let mut values = clip.f32(&key)?;
            // What is missing is found where the length is compared with the shape.
            values.truncate(rows.end * row);
            values.drain(..(rows.start * row).min(values.len()));
            Ok(values)
        };
        graph.weight(&format!("{name}.{part}"), &shape, storage, read)
    }

    /// The linear layer `<name>.weight` `[outputs, inputs]`, `<name>.bias`: `[rows, inputs]` ->
    /// `[rows, outputs]`.
    pub fn linear(&self, graph: &mut TowerGraph<'a>, name: &str, x: &Value) -> Value {
        let weight = self.whole(graph, &format!("{name}.weight"));
        let bias = self.whole(graph, &format!("{name}.bias"));
        linear(graph, x, &weight, Some(&bias))
    }

    /// Layer normalisation of the last axis.
    pub fn layer_norm(
        &self,
        graph: &mut TowerGraph<'a>,
        name: &str,
        x: &Value,
        epsilon: f32,
    ) -> Value {
        let weight = self.whole(graph, &format!("{name}.weight"));
        let bias = self.whole(graph, &format!("{name}.bias"));
        graph.node(
            "LayerNormalization",
            &[x, &weight, &bias],
            &[
                Attribute::Int("axis", -1),
                Attribute::Float("epsilon", epsilon),
            ],
        )
    }
}

/// `[rows, inputs]` times the transpose of `[outputs, inputs]`, plus `[outputs]`: a layer as PyTorch stores
/// it, which a runtime packs once.
pub(super) fn linear<E>(
    graph: &mut Graph<'_, E>,
    x: &Value,
    weight: &Value,
    bias: Option<&Value>,
) -> Value {
    let inputs: Vec<&Value> = [x, weight].into_iter().chain(bias).collect();
    graph.node("Gemm", &inputs, &[Attribute::Int("transB", 1)])
}
