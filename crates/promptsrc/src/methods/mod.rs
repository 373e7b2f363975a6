//! The methods: a registry by name, and the configuration of a method from a preset.

mod clap;
mod clip_adapter;
mod cocoop;
mod context_prompts;
mod coop;
mod ivlp;
mod kgcoop;
pub mod layer_prompts;
mod linear;
mod linear_probe;
mod lpp;
mod maple;
mod method;
mod needs;
mod prograd;
mod promptsrc;
mod registry;
mod resolve;
mod text_context;
mod tip_adapter;
mod zero_shot;

pub use method::{Circumstances, Family, FeatureMethod, Method, PromptMethod, SettingGroup};
pub use needs::Need;
pub use registry::{all, answers_other_names, find, prompt_method, prompt_model};
pub use resolve::{Request, resolve_file};
