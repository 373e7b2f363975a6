//! The registry of all methods by name.

use crate::config::{ConfigError, MethodConfig, TrainConfig};
use crate::methods::clap::{Clap, ZsLp};
use crate::methods::clip_adapter::ClipAdapter;
use crate::methods::cocoop::CoCoOp;
use crate::methods::coop::CoOp;
use crate::methods::ivlp::Ivlp;
use crate::methods::kgcoop::KgCoOp;
use crate::methods::linear_probe::LinearProbe;
use crate::methods::lpp::Lpp;
use crate::methods::maple::MaPLe;
use crate::methods::method::{Family, Method, PromptMethod};
use crate::methods::prograd::ProGrad;
use crate::methods::promptsrc::PromptSrc;
use crate::methods::tip_adapter::{TipAdapter, TipAdapterF};
use crate::methods::zero_shot::ZeroShot;
use crate::prompt_model::PromptModel;

/// In the order in which tables show them.
static REGISTRY: [&dyn Method; 15] = [
    &ZeroShot,
    &LinearProbe,
    &ZsLp,
    &Clap,
    &Lpp,
    &TipAdapter,
    &TipAdapterF,
    &ClipAdapter,
    &CoOp,
    &CoCoOp,
    &KgCoOp,
    &ProGrad,
    &MaPLe,
    &Ivlp,
    &PromptSrc,
];

/// All methods, in the order in which tables show them.
pub fn all() -> impl Iterator<Item = &'static dyn Method> {
    REGISTRY.into_iter()
}

/// The method with this name.
///
/// # Errors
/// [`ConfigError::UnknownMethod`] if there is none.
pub fn find(name: &str) -> Result<&'static dyn Method, ConfigError> {
    all().find(|method| method.name() == name).ok_or_else(|| {
        let known: Vec<&str> = all().map(|method| method.name()).collect();
        ConfigError::UnknownMethod {
            name: name.to_string(),
            known: known.join(", "),
        }
    })
}

/// The prompt method with this name.
///
/// # Errors
/// [`ConfigError::UnknownMethod`] if there is none; [`ConfigError::NothingToTrain`] if the method
/// learns nothing, [`ConfigError::NoPrompts`] if it learns no prompts.
pub fn prompt_method(name: &str) -> Result<&'static dyn PromptMethod, ConfigError> {
    match find(name)?.family() {
        Family::Prompts(method) => Ok(method),
        Family::Frozen => Err(ConfigError::NothingToTrain {
            method: name.to_string(),
        }),
        Family::Features(_) => Err(ConfigError::NoPrompts {
            method: name.to_string(),
        }),
    }
}

/// The prompt model of a configuration, by its method.
///
/// # Errors
/// The same as for [`prompt_method`].
pub fn prompt_model(config: &TrainConfig) -> Result<Box<dyn PromptModel>, ConfigError> {
    Ok(prompt_method(&config.method)?.prompt_model(config))
}

/// Whether a configuration learns something that applies to classes which it was not trained on.
///
/// # Errors
/// The same as for [`prompt_method`].
pub fn answers_other_names(config: &MethodConfig) -> Result<bool, ConfigError> {
    Ok(match config {
        MethodConfig::Prompts(config) => !prompt_model(config)?.is_class_specific(),
        MethodConfig::Features(config) => !config.head.is_class_specific(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_is_found_by_its_name_and_no_other() {
        for method in all() {
            assert_eq!(find(method.name()).map(|m| m.name()), Ok(method.name()));
        }
        let message = find("mapple").map(|m| m.name()).unwrap_err().to_string();
        for name in ["mapple", "promptsrc", "ivlp", "coop", "zero-shot"] {
            assert!(message.contains(name), "{message}");
        }
    }
}
