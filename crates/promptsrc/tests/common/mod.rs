//! What the parity tests of training share: the golden CLIP and cases.
#![allow(dead_code)]

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc::config::{
    AggregationConfig, LossWeights, OptimConfig, PromptConfig, TrainConfig, Warmup,
};
use promptsrc::{Parameter, Parameters};
use promptsrc_clip::{ClipModel, ClipWeights};
use promptsrc_goldens as goldens;
use promptsrc_goldens::{Tensors, number};
use serde_json::Value;

pub fn clip(path: &Path) -> ClipModel {
    let weights = ClipWeights::open(path).unwrap_or_else(|e| panic!("{e}"));
    ClipModel::new(&weights, &Device::flex()).unwrap_or_else(|e| panic!("{e}"))
}

/// The golden CLIP of the folder `tiny`.
pub fn tiny() -> ClipModel {
    let name = goldens::list("tiny")
        .into_iter()
        .find(|n| n.ends_with(".safetensors"));
    clip(&goldens::path("tiny").join(name.expect("a CLIP among the goldens")))
}

pub fn tensor<const D: usize>(golden: &goldens::Tensor) -> Tensor<D> {
    Tensor::from_data(
        TensorData::new(golden.f32(), golden.shape.clone()),
        &Device::flex(),
    )
}

pub fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

pub fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    widen(&promptsrc_clip::values(tensor))
}

/// Parameters stored as `<prefix><name>`, with values of any rank.
pub fn parameters(file: &Tensors, prefix: &str) -> Parameters {
    let parameter = |name: &str| {
        let golden = file.get(&format!("{prefix}{name}"));
        Parameter {
            name: name.to_string(),
            shape: golden.shape.clone(),
            values: golden.f32(),
        }
    };
    let list = file.below(prefix).map(parameter).collect();
    Parameters::new(list).unwrap_or_else(|e| panic!("{prefix}: {e}"))
}

/// Training batches `batchNN/images`, `batchNN/labels`, in order.
pub fn batches(file: &Tensors) -> Vec<(Vec<f32>, Vec<usize>)> {
    let mut names: Vec<&str> = file
        .names()
        .filter(|n| n.starts_with("batch"))
        .filter_map(|n| n.strip_suffix("/images"))
        .collect();
    names.sort_by_key(|n| {
        n.trim_start_matches("batch")
            .parse::<usize>()
            .expect("a number")
    });
    names
        .iter()
        .map(|n| {
            let labels = file.get(&format!("{n}/labels")).i64();
            let labels = labels.iter().map(|l| *l as usize).collect();
            (file.get(&format!("{n}/images")).f32(), labels)
        })
        .collect()
}

pub fn prompt_config(spec: &Value) -> PromptConfig {
    let count = |key: &str| number(&spec[key]) as usize;
    PromptConfig {
        class_specific: false,
        class_position: promptsrc::config::ClassPosition::End,
        n_ctx_text: count("n_ctx_text"),
        n_ctx_vision: count("n_ctx_vision"),
        depth_text: count("depth_text"),
        depth_vision: count("depth_vision"),
        ctx_init: spec["ctx_init"].as_str().unwrap_or_default().to_string(),
    }
}

/// The configuration of a case of `train/`.
pub fn config(case: &Value) -> TrainConfig {
    let optim = &case["optim"];
    TrainConfig {
        method: "promptsrc".to_string(),
        epochs: number(&optim["max_epoch"]) as usize,
        prompts: prompt_config(&case["spec"]),
        optim: OptimConfig {
            lr: number(&optim["lr"]),
            momentum: number(&optim["momentum"]),
            weight_decay: number(&optim["weight_decay"]),
            dampening: number(&optim["dampening"]),
            nesterov: optim["nesterov"].as_bool().expect("a bool"),
            warmup: Warmup::Constant,
            warmup_epochs: number(&optim["warmup_epoch"]).max(0.0) as usize,
            warmup_lr: number(&optim["warmup_lr"]),
        },
        regularisation: Some(LossWeights {
            text: number(&case["loss_weights"]["text"]),
            image: number(&case["loss_weights"]["image"]),
            logits: 1.0,
        }),
        aggregation: Some(AggregationConfig {
            mean: number(&case["gpa"]["mean"]),
            std: number(&case["gpa"]["std"]),
        }),
        templates: goldens::strings(&goldens::json("templates.json")["teacher"]),
        ..TrainConfig::default()
    }
}
