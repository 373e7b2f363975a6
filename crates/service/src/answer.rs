//! What is answered where nothing is wrong.

use promptsrc::Prediction;
use promptsrc::calibration::{CalibratedAnswer, SetPromise};
use serde::Serialize;

use crate::problem::BadImage;

/// The answer of `/v1/predict`.
#[derive(Debug, Serialize)]
pub(crate) struct Predictions<'m> {
    pub model: ModelName<'m>,
    /// In the order of the request's images.
    pub predictions: Vec<Predicted>,
    /// What the person should know of the sets, such as that the calibration images were too few.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The answer of `/v1/embed`.
#[derive(Debug, Serialize)]
pub(crate) struct Embeddings<'m> {
    pub model: ModelName<'m>,
    /// Numbers of a feature.
    pub embed_dim: usize,
    /// In the order of the request's images.
    pub images: Vec<Embedded>,
    /// In the order of the request's texts.
    pub texts: Vec<TextFeature>,
}

/// What has answered.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ModelName<'m> {
    pub method: &'m str,
    pub clip: &'m str,
    pub precision: &'m str,
}

/// The answer for an image, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Predicted {
    Known {
        image: String,
        /// The most probable first.
        top: Vec<Named>,
        /// Whether the probabilities are at the temperature of a calibration.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        calibrated: bool,
        /// The classes of the set, the most probable first.
        #[serde(skip_serializing_if = "Option::is_none")]
        set: Option<Vec<Named>>,
        /// What the set promises.
        #[serde(skip_serializing_if = "Option::is_none")]
        promise: Option<SetPromise>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unknown: Option<Unknown>,
    },
    Bad(BadImage),
}

/// A class name and its probability.
#[derive(Debug, Serialize)]
pub(crate) struct Named {
    pub name: String,
    pub probability: f32,
}

/// The feature of an image, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Embedded {
    Known { image: String, feature: Vec<f32> },
    Bad(BadImage),
}

/// The feature of a text.
#[derive(Debug, Serialize)]
pub(crate) struct TextFeature {
    pub text: String,
    pub feature: Vec<f32>,
}

/// Whether an image shows none of the classes.
#[derive(Debug, Serialize)]
pub(crate) struct Unknown {
    pub unknown: bool,
    pub score: f64,
    pub threshold: f64,
}

impl Predicted {
    /// The `top_k` most probable names, with the numbers of the calibration where it has answered. The order is
    /// that of the probabilities without it, as in `predict`.
    pub fn new(
        image: String,
        prediction: &Prediction,
        calibrated: Option<&CalibratedAnswer>,
        top_k: usize,
    ) -> Self {
        let own = &prediction.probabilities;
        let order = prediction.order();
        let mut name_of = vec![""; own.len()];
        for (class, (name, _)) in order.iter().zip(prediction.top(own.len())) {
            name_of[*class] = name;
        }
        let probabilities = calibrated.map_or(own, |of| &of.probabilities);
        let named = |class: &usize| Named {
            name: name_of.get(*class).copied().unwrap_or_default().to_string(),
            probability: probabilities.get(*class).copied().unwrap_or_default(),
        };
        let set = calibrated.and_then(|of| of.set.as_ref());
        let unknown = calibrated.and_then(|of| of.unknown);
        Self::Known {
            image,
            top: order.iter().take(top_k).map(named).collect(),
            calibrated: calibrated.is_some(),
            set: set.map(|set| set.iter().map(named).collect()),
            promise: calibrated.and_then(|of| of.promise),
            unknown: unknown.map(|of| Unknown {
                unknown: of.unknown,
                score: of.score,
                threshold: of.threshold,
            }),
        }
    }
}
