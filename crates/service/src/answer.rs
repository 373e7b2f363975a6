//! Answers as JSON.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use promptsrc::Prediction;
use serde::Serialize;

use crate::problem::{BadImage, Reason};

/// The answer of `/v1/predict`.
#[derive(Debug, Serialize)]
pub(crate) struct Predictions<'m> {
    pub model: ModelName<'m>,
    /// In the order of the request's images.
    pub predictions: Vec<Predicted>,
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

impl Predicted {
    /// The `top_k` most probable names.
    pub fn new(image: String, prediction: &Prediction, top_k: usize) -> Self {
        let named = |(name, probability): &(String, f32)| Named {
            name: name.clone(),
            probability: *probability,
        };
        let top = prediction.top(top_k).iter().map(named).collect();
        Self::Known { image, top }
    }
}

/// A value as an answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let (status, text) = match serde_json::to_string(value) {
        Ok(text) => (status, text),
        // No value of this crate is one that JSON does not have.
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"error":{"code":"internal","message":"the answer cannot be written"}}"#.to_string(),
        ),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A reason without a status of its own.
impl Reason {
    pub fn at(self, image: String) -> BadImage {
        BadImage { image, error: self }
    }
}
