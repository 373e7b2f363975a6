//! Prompt learning for a frozen CLIP: PromptSRC and the methods it is compared with.
//!
//! Training takes a pretrained CLIP and a few labelled images per class and learns an [`Adapter`]
//! of a few dozen prompt vectors, which classifies images among any class names. The library prints
//! nothing; it reports [`Event`]s.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
//! use promptsrc::{Clip, Dataset, TrainConfig};
//!
//! let clip = Clip::open("mini")?; // or "ViT-B/16", a weight file, a folder
//! let data = Dataset::open("examples/images")?.few_shot(4, 1).base()?;
//! let config = TrainConfig::of("promptsrc", &clip, &data)?;
//! # let config = TrainConfig { epochs: 1, ..config };
//! let adapter = config.train(&clip, &data, |event| println!("{event:?}"))?;
//!
//! let classifier = adapter.classifier(&clip, &["yellow star", "green triangle"])?;
//! for prediction in classifier.predict(&["examples/images/yellow_star/yellow_star_12.jpg"])? {
//!     println!("{}: {:?}", prediction.path.display(), prediction.top(2));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`RunSpec`] trains in a run folder and resumes interrupted runs; [`methods`] finds methods by
//! name and resolves their configurations; [`PromptModel`] is the trait that a new prompt method
//! implements.
//!
//! Reference: Khattak et al., "Self-regulating Prompts: Foundational Model Adaptation without
//! Forgetting", ICCV 2023.

pub mod adapter;
pub mod aggregation;
pub mod calibration;
pub mod class_texts;
mod classifier;
mod clip;
pub mod config;
mod device;
mod differences;
mod events;
mod feature_cache;
mod feature_training;
mod forward;
mod gradient_projection;
mod head;
mod image_batches;
mod image_list;
mod initial_values;
mod loss_terms;
pub mod losses;
mod machine;
pub mod methods;
pub mod metrics;
mod nearest_words;
mod onnx;
mod overlap;
mod parameters;
mod prompt_model;
pub mod provenance;
pub mod records;
pub mod run_folder;
mod run_spec;
mod state_file;
pub mod stop;
mod trained_images;
mod trained_precision;
pub mod training;
mod training_images;

pub use adapter::{Adapter, AdapterError};
pub use calibration::{Calibration, CalibrationError};
pub use classifier::{
    Classifier, ClassifierError, EachLogits, EvaluateError, Prediction, PredictionResult,
    ReadableEvaluation, probabilities, probability,
};
pub use clip::{Clip, ClipError, ClipOptions, PrecisionChoice, is_mini, preprocess};
pub use config::{ConfigError, FeatureConfig, MethodConfig, Overrides, Preset, TrainConfig};
pub use device::{CPU, DeviceError, OpenDevice, catching, device, device_names};
pub use events::{Event, machines_of_training};
pub use feature_cache::FeatureCache;
pub use feature_training::FeatureError;
pub use image_batches::ImageBatches;
pub use image_list::fingerprint;
pub use loss_terms::{LossTerm, loss_terms};
pub use machine::{Machine, machines_in_words};
pub use metrics::Evaluation;
pub use nearest_words::{NearestWords, NoWords, VectorWords, nearest_words};
pub use onnx::{
    OnnxError, OnnxExport, OnnxOptions, OnnxTower, OnnxWeights, export_onnx, export_tower_onnx,
    export_zero_shot_onnx, onnx_paths,
};
pub use overlap::overlap_warnings;
pub use parameters::{Leaves, Parameter, ParameterError, Parameters};
pub use prompt_model::{Placement, PromptModel, TowerPrompts};
pub use promptsrc_clip::{Precision, PrecisionError};
pub use promptsrc_datasets::{
    Classes, DataError, DataSource, Dataset, Drawing, Item, Part, Parts, Subset,
};
pub use promptsrc_image::{Image, Limits, Preprocess, decode, open as open_image};
pub use promptsrc_learning::sgd;
pub use run_folder::DataPlace;
pub use run_spec::{RunSpec, TrainError, check_names};
pub use trained_images::{InvalidHash, TrainedImages};
pub use trained_precision::TrainedPrecision;
pub use training::Training;
pub use training_images::{TrainingImages, missing_warning};
