//! The methods: a registry by name, and the configuration of a method from a preset.

mod cocoop;
mod context_prompts;
mod coop;
mod ivlp;
mod kgcoop;
pub mod layer_prompts;
mod linear;
mod maple;
mod method;
mod needs;
mod prograd;
mod promptsrc;
mod registry;
mod resolve;
mod text_context;
mod zero_shot;

pub use method::{Circumstances, Family, Method, PromptMethod, SettingGroup};
pub use needs::Need;
pub use registry::{all, answers_other_names, find, prompt_method, prompt_model};
pub use resolve::{Request, resolve_file};
