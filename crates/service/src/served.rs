//! What is served: a CLIP, and an adapter for it or none.

use std::sync::Arc;

use promptsrc::calibration::Calibration;
use promptsrc::methods::answers_other_names;
use promptsrc::{Adapter, Classifier, ClassifierError, Clip};

/// A CLIP with what makes it a classifier.
#[derive(Debug)]
pub struct Served {
    /// The CLIP.
    pub clip: Clip,
    /// What makes it a classifier.
    pub model: Model,
    /// The class names of requests that give none.
    pub names: Vec<String>,
    /// Whether images are turned by their EXIF orientation.
    pub upright: bool,
    /// A calibration of this model: it has been checked for it, but for the class names, on which it is used
    /// where they are its own.
    pub calibration: Option<Arc<Calibration>>,
}

/// What makes a CLIP a classifier of images.
#[derive(Debug)]
pub enum Model {
    /// Learned prompts, or a head.
    Adapter(Box<Adapter>),
    /// Nothing but texts: the frozen CLIP.
    ZeroShot {
        /// Templates for the class names.
        templates: Vec<String>,
    },
}

impl Served {
    /// The classifier for these names.
    ///
    /// # Errors
    /// [`ClassifierError`] if there is none.
    pub fn classifier(&self, names: &[String]) -> Result<Classifier<'_>, ClassifierError> {
        match &self.model {
            // Without a cache of image features, which would grow with every image.
            Model::Adapter(adapter) => adapter.classifier(&self.clip, names),
            Model::ZeroShot { templates } => Classifier::zero_shot(&self.clip, names, templates),
        }
    }

    /// The calibration, if it is one for these class names.
    pub(crate) fn calibration_for(&self, names: &[String]) -> Option<&Calibration> {
        let calibration = self.calibration.as_deref();
        calibration.filter(|calibration| calibration.class_names() == names)
    }

    /// The name of the method.
    pub fn method(&self) -> &str {
        match &self.model {
            Model::Adapter(adapter) => &adapter.meta.method,
            Model::ZeroShot { .. } => "zero-shot",
        }
    }

    /// Whether it classifies among names that it was not trained on.
    ///
    /// # Errors
    /// [`ClassifierError`] if the configuration of the adapter cannot be used.
    pub fn answers_other_names(&self) -> Result<bool, ClassifierError> {
        match &self.model {
            Model::Adapter(adapter) => Ok(answers_other_names(&adapter.meta.config)?),
            Model::ZeroShot { .. } => Ok(true),
        }
    }
}
