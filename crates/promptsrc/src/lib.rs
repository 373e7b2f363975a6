//! Prompt learning for a frozen CLIP that forgets nothing: PromptSRC and IVLP.
//!
//! A pretrained CLIP and a few labelled images of each class go in; an [`Adapter`] of a few dozen
//! prompt vectors comes out, which classifies among any class names. The library draws nothing and
//! prints nothing: it reports [`Event`]s.
//!
//! ```
//! use promptsrc::{Classifier, ClipModel, ClipWeights, TrainConfig, TrainData, TrainJob, datasets, train};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
//! # let clip_file = format!("{root}/tools/goldens/data/tiny/clip_openai_fp16.safetensors");
//! # let images = format!("{root}/examples/images");
//! // A weight file of OpenAI, Hugging Face or OpenCLIP, and a folder with a subfolder per class.
//! let weights = ClipWeights::open(&clip_file)?;
//! let clip = ClipModel::new(&weights, &promptsrc::device("cpu")?)?;
//! let (dataset, _report) = datasets::DataSource::new(&images).read()?;
//!
//! // Four images of each of the first half of the classes.
//! let picks = dataset.few_shot(4, 1);
//! let base = dataset.select(&picks, datasets::Classes::Base)?;
//! let job = TrainJob {
//!     clip: &clip,
//!     clip_record: train::clip_record(&weights, "my CLIP")?,
//!     config: TrainConfig { epochs: 2, ..TrainConfig::default() },
//!     data: TrainData {
//!         class_names: base.class_names,
//!         items: dataset.items(datasets::Part::Train, &base.train, false)?.items,
//!         record: Default::default(),
//!     },
//!     threads: 2,
//! };
//! let adapter = job.run(&mut |event| println!("{event:?}"))?;
//!
//! // The adapter classifies among any names, those it has never seen included.
//! let names = ["yellow star", "green triangle"].map(String::from);
//! let classifier = Classifier::prompted(&clip, &adapter, &names)?;
//! let novel = dataset.select(&picks, datasets::Classes::Novel)?;
//! let test = dataset.items(datasets::Part::Test, &novel.test, false)?.items;
//! let evaluation = promptsrc::evaluate(&clip, &classifier, &test, 2, &mut |_| {})?;
//! assert_eq!(evaluation.total, test.len() as u64);
//! # Ok(())
//! # }
//! ```
//!
//! Reference: Khattak et al., "Self-regulating Prompts: Foundational Model Adaptation without
//! Forgetting", ICCV 2023.

pub mod adapter;
pub mod aggregation;
pub mod class_texts;
mod classifier;
pub mod config;
mod device;
mod evaluate;
mod events;
pub mod image_list;
pub mod learner;
pub mod losses;
pub mod methods;
pub mod metrics;
pub mod optimizer;
pub mod prompts;
pub mod run_folder;
pub mod schedule;
pub mod state_file;
pub mod train;

pub use adapter::Adapter;
pub use burn::tensor::Device;
pub use classifier::{Classifier, ClassifierError};
pub use config::{Method, Preset, TrainConfig};
pub use device::{DeviceError, device, device_names};

pub use evaluate::{EvaluateError, evaluate};
pub use events::Event;
pub use learner::Learner;
pub use metrics::Evaluation;
pub use prompts::Prompts;
pub use promptsrc_clip::{ClipModel, ClipWeights, Precision, PrecisionError, has_kernels};
pub use promptsrc_datasets as datasets;
pub use train::{TrainData, TrainJob};
