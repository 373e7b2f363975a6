//! Export to ONNX: classifiers and towers as files that other runtimes serve.

mod block;
mod class_head;
mod error;
mod export;
mod image_tower;
mod preprocessing;
mod record;
mod text_tower;
mod tower_weights;

pub use error::OnnxError;
pub use export::{
    OnnxExport, OnnxOptions, OnnxTower, OnnxWeights, export_onnx, export_tower_onnx,
    export_zero_shot_onnx, onnx_paths,
};
