//! The methods behind one trait, with a registry by name: train a run folder, classify among any names.

mod classify;
mod prompt_learning;
mod zero_shot;

use std::fmt;
use std::path::Path;

use promptsrc_clip::ClipModel;

use crate::adapter::AdapterError;
use crate::classifier::ClassifierError;
use crate::config::TrainConfig;
use crate::events::Event;
use crate::run_folder::RunConfig;
use crate::train::{TrainError, TrainJob};

pub use classify::Classify;
pub use prompt_learning::PromptLearning;
pub use zero_shot::ZeroShot;

/// A way to make a classifier of a CLIP.
pub trait Method: fmt::Debug + Sync {
    /// Its name on the command line, in files and in folders.
    fn name(&self) -> &'static str;

    /// Its name in the paper's tables, by which the published results are found.
    fn paper_name(&self) -> &'static str;

    /// How it learns; `None` where it learns nothing, so that neither shots nor seeds decide
    /// anything.
    fn training(&self) -> Option<&dyn Training>;

    /// The classifier among `names` that the run in the folder `run` has learned. `template` is
    /// the data set's own sentence around a class name, for methods that take it.
    ///
    /// # Errors
    /// [`MethodError`] where the folder holds no finished run, or the names cannot be embedded.
    fn classifier<'a>(
        &self,
        clip: &'a ClipModel,
        run: &Path,
        names: &[String],
        template: &str,
    ) -> Result<Box<dyn Classify + 'a>, MethodError>;
}

/// How a method learns.
pub trait Training {
    /// A preset as this method's own configuration.
    fn configure(&self, preset: TrainConfig) -> TrainConfig;

    /// Trains in a run folder; goes on with what is there of the same configuration, and ends
    /// with the same bytes as a training that was never stopped.
    ///
    /// # Errors
    /// [`TrainError`].
    fn train(
        &self,
        job: &TrainJob,
        run: &Path,
        config: &RunConfig,
        observe: &mut dyn FnMut(&Event),
    ) -> Result<(), TrainError>;

    /// Whether a run folder holds a training that has come to its end.
    fn is_trained(&self, run: &Path) -> bool;
}

/// A classifier that a method cannot make.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// What the run has learned cannot be read.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The class names or the prompts.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
}

/// A name that no method has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown method {name:?}: one of {}", all().map(|m| m.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownMethod {
    /// The name.
    pub name: String,
}

/// In the order in which tables show them.
static REGISTRY: [&dyn Method; 3] = [&ZeroShot, &PromptLearning::IVLP, &PromptLearning::PROMPTSRC];

/// All methods, in the order in which tables show them.
pub fn all() -> impl Iterator<Item = &'static dyn Method> {
    REGISTRY.into_iter()
}

/// The method of that name.
///
/// # Errors
/// [`UnknownMethod`].
pub fn find(name: &str) -> Result<&'static dyn Method, UnknownMethod> {
    all()
        .find(|method| method.name() == name)
        .ok_or_else(|| UnknownMethod { name: name.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_is_found_by_its_name_and_no_other() {
        for method in all() {
            assert_eq!(find(method.name()).map(|m| m.name()), Ok(method.name()));
        }
        let message = find("maples").map(|m| m.name()).unwrap_err().to_string();
        for name in ["maples", "promptsrc", "ivlp", "zero-shot"] {
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn ivlp_is_cross_entropy_alone_and_zero_shot_learns_nothing() {
        let of = |name: &str| {
            let training = find(name).ok()?.training()?;
            Some(training.configure(TrainConfig::default()))
        };
        assert_eq!(of("zero-shot"), None);
        assert_eq!(of("promptsrc"), Some(TrainConfig::default()));
        let ivlp = of("ivlp").expect("a configuration");
        assert_eq!((ivlp.regularisation, ivlp.aggregation), (None, None));
    }
}
