//! What a service says about its model.

use std::sync::Arc;

use promptsrc::calibration::{Calibration, Wanted, check_rate};
use promptsrc::{ClassifierError, Preprocess};
use serde::Serialize;

use crate::answer::ModelName;
use crate::bounds::Bounds;
use crate::engine::of_calibration;
use crate::problem::Problem;
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
    pub calibration: Option<Arc<Calibration>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibrated<'c>>,
    bounds: Told,
}

/// What the calibration has.
#[derive(Debug, Serialize)]
struct Calibrated<'c> {
    /// Whether it is for the class names of requests that give none.
    own_names: bool,
    /// Coverage of sets where a request asks for no other.
    coverage: f64,
    /// The kinds of sets; the first where a request asks for no other.
    sets: Vec<&'c str>,
    /// Whether it tells images that show none of the classes.
    unknown: bool,
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
            calibration: served.calibration.clone(),
        })
    }

    pub fn name(&self) -> ModelName<'_> {
        ModelName {
            method: &self.method,
            clip: &self.clip,
            precision: &self.precision,
        }
    }

    /// Fails if the calibration cannot promise what is wanted for these names. What a person should know of it
    /// otherwise.
    ///
    /// # Errors
    /// 422 if there is none, it is for other names, or it does not have what is wanted.
    pub fn check_wanted(
        &self,
        wanted: &Wanted,
        names: Option<&[String]>,
    ) -> Result<Vec<String>, Problem> {
        if *wanted == Wanted::default() {
            return Ok(Vec::new());
        }
        if let Some(Err(error)) = wanted.coverage.map(check_rate) {
            return Err(Problem::invalid(format!("coverage: {error}")));
        }
        let refused = |why: &str| {
            let message = format!("coverage, sets and unknown need a calibration, and {why}");
            Err(Problem::invalid(message))
        };
        let Some(calibration) = &self.calibration else {
            return refused("this model has none");
        };
        if calibration.class_names() != names.unwrap_or(&self.names) {
            return refused(
                "that of this model is for other class names, or another order of them",
            );
        }
        let checked = calibration.notes(wanted);
        checked.map_err(|error| of_calibration(&error))
    }

    pub fn description(&self, top_k: usize, bounds: &Bounds) -> Description<'_> {
        Description {
            model: self.name(),
            version: env!("CARGO_PKG_VERSION"),
            embed_dim: self.embed_dim,
            names: &self.names,
            other_names: self.other_names,
            top_k,
            calibration: self.calibration.as_deref().map(|of| Calibrated {
                own_names: *of.class_names() == self.names,
                coverage: of.record().coverage,
                sets: of
                    .set_methods()
                    .iter()
                    .map(|method| method.name())
                    .collect(),
                unknown: of.record().unknown.threshold.is_some(),
            }),
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
