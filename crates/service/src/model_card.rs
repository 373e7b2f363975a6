//! What a service says about its model.

use promptsrc::{ClassifierError, Preprocess};
use serde::Serialize;

use crate::answer::ModelName;
use crate::bounds::Bounds;
use crate::served::Served;

/// What is known of the model beside the thread that owns it.
#[derive(Debug)]
pub(crate) struct ModelCard {
    pub method: String,
    pub clip: String,
    pub precision: String,
    pub embed_dim: usize,
    pub names: Vec<String>,
    pub other_names: bool,
    pub upright: bool,
    pub preprocess: Preprocess,
}

/// The answer of `/v1/model`.
#[derive(Debug, Serialize)]
pub(crate) struct Description<'c> {
    model: ModelName<'c>,
    version: &'static str,
    embed_dim: usize,
    /// The class names of requests that give none.
    names: &'c [String],
    /// Whether requests may give names that the model was not trained on.
    other_names: bool,
    top_k: usize,
    bounds: Told,
}

/// The bounds of a request.
#[derive(Debug, Serialize)]
struct Told {
    max_body: usize,
    max_images: usize,
    max_names: usize,
    max_name_bytes: usize,
    max_pixels: u64,
}

impl ModelCard {
    /// # Errors
    /// [`ClassifierError`] if the configuration of the adapter cannot be used.
    pub fn of(served: &Served) -> Result<Self, ClassifierError> {
        Ok(Self {
            method: served.method().to_string(),
            clip: served.clip.record().name.clone(),
            precision: served.clip.precision().to_string(),
            embed_dim: served.clip.config().embed_dim,
            names: served.names.clone(),
            other_names: served.answers_other_names()?,
            upright: served.upright,
            preprocess: served.clip.preprocess(),
        })
    }

    pub fn name(&self) -> ModelName<'_> {
        ModelName {
            method: &self.method,
            clip: &self.clip,
            precision: &self.precision,
        }
    }

    pub fn description(&self, top_k: usize, bounds: &Bounds) -> Description<'_> {
        Description {
            model: self.name(),
            version: env!("CARGO_PKG_VERSION"),
            embed_dim: self.embed_dim,
            names: &self.names,
            other_names: self.other_names,
            top_k,
            bounds: Told {
                max_body: bounds.max_body,
                max_images: bounds.max_images,
                max_names: bounds.max_names,
                max_name_bytes: bounds.max_name_bytes,
                max_pixels: bounds.max_pixels,
            },
        }
    }
}
