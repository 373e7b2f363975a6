//! The prompt method that a measurement is of, in its published configuration.

use std::num::NonZeroUsize;

use promptsrc::config::ClassPosition;
use promptsrc::methods::{Request, prompt_method};
use promptsrc::{MethodConfig, Overrides, TrainConfig};

use crate::failure::Failure;

/// Which method, and the settings that change what a step costs.
#[derive(clap::Args, Debug)]
pub struct MeasuredMethod {
    /// Prompt method: promptsrc, ivlp, coop, cocoop, maple, kgcoop or prograd.
    #[arg(long, value_name = "NAME", default_value = "promptsrc")]
    method: String,
    /// Images per step [default: the method's own].
    #[arg(long, value_name = "B")]
    batch: Option<NonZeroUsize>,
    /// A context for each class (coop, kgcoop, prograd).
    #[arg(long)]
    class_specific: bool,
    /// Place of the class name among the context tokens: end, middle or front (coop, prograd).
    #[arg(long, value_name = "PLACE")]
    class_position: Option<ClassPosition>,
}

impl MeasuredMethod {
    /// The configuration.
    ///
    /// # Errors
    /// If there is no prompt method of this name, or it lacks one of the settings.
    pub fn config(&self) -> Result<TrainConfig, Failure> {
        let overrides = Overrides {
            batch_size: self.batch.map(NonZeroUsize::get),
            class_specific: self.class_specific,
            class_position: self.class_position,
            ..Default::default()
        };
        resolved(&self.method, &overrides)
    }
}

/// A method's published configuration for base-to-novel generalisation.
///
/// # Errors
/// If there is no prompt method of this name.
pub fn published(method: &str) -> Result<TrainConfig, Failure> {
    resolved(method, &Overrides::default())
}

/// As [`published`], with a context for each class.
///
/// # Errors
/// If there is no prompt method of this name, or its classes cannot have contexts of their own.
pub fn published_for_each_class(method: &str) -> Result<TrainConfig, Failure> {
    let overrides = Overrides {
        class_specific: true,
        ..Default::default()
    };
    resolved(method, &overrides)
}

/// With one template: the frozen text features are not part of a step.
fn resolved(method: &str, overrides: &Overrides) -> Result<TrainConfig, Failure> {
    prompt_method(method)?;
    let request = Request::of(method, overrides);
    match request.resolve()? {
        MethodConfig::Prompts(mut config) => {
            config.templates.truncate(1);
            Ok(config)
        }
        MethodConfig::Features(_) => Err(format!("{method} learns no prompts").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batch sizes as in the methods' published configurations.
    #[test]
    fn each_method_has_its_own_batch_unless_another_is_given() {
        let own = [
            ("promptsrc", 4),
            ("ivlp", 4),
            ("coop", 32),
            ("cocoop", 1),
            ("maple", 4),
            ("kgcoop", 128),
            ("prograd", 32),
        ];
        for (method, batch) in own {
            assert_eq!(published(method).expect(method).batch_size, batch);
        }
        let given = MeasuredMethod {
            method: "coop".to_string(),
            batch: NonZeroUsize::new(3),
            class_specific: true,
            class_position: None,
        };
        let config = given.config().expect("a setting of CoOp");
        assert_eq!(
            (config.batch_size, config.prompts.class_specific),
            (3, true)
        );
    }
}
