//! Why a request is refused: a status, a code for programs and a sentence for people, as JSON.

use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use promptsrc_image::ImageError;
use serde::Serialize;

use crate::response;

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub status: StatusCode,
    /// For programs: does not change with the wording of the message.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The images that it is about, where it is about images.
    pub images: Vec<BadImage>,
    /// The methods that a route has, where it has not this one.
    pub allow: Option<&'static str>,
}

/// An image that cannot be answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BadImage {
    /// Its name in the request.
    pub image: String,
    pub error: Reason,
}

/// A code for programs and a sentence for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Reason {
    pub code: &'static str,
    pub message: String,
}

impl Reason {
    /// Of this image.
    pub fn at(self, image: String) -> BadImage {
        BadImage { image, error: self }
    }
}

#[derive(Serialize)]
struct Body<'p> {
    error: Content<'p>,
}

#[derive(Serialize)]
struct Content<'p> {
    code: &'p str,
    message: &'p str,
    #[serde(skip_serializing_if = "<[BadImage]>::is_empty")]
    images: &'p [BadImage],
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            images: Vec::new(),
            allow: None,
        }
    }

    /// What is not written as it should be: 400.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// What is written well and cannot be answered: 422.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    }

    /// What is larger than a bound: 413.
    pub fn too_large(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, message)
    }

    /// A fault of the service: 500. What went wrong is not told.
    pub fn internal() -> Self {
        let message = "the service failed on this request; others are not concerned";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// More than the service can take at the moment: 503.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    /// The service ends: 503.
    pub fn stopping() -> Self {
        let message = "the service is stopping";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message)
    }

    /// The model is not there yet: 503.
    pub fn loading() -> Self {
        let message = "the model is being loaded";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "loading", message)
    }

    /// Images that cannot be read: the status of the first.
    pub fn images(all: usize, bad: Vec<(BadImage, StatusCode)>) -> Self {
        let status = bad.first().map(|(_, status)| *status);
        let code = bad.first().map(|(image, _)| image.error.code);
        let images: Vec<BadImage> = bad.into_iter().map(|(image, _)| image).collect();
        let message = match images.as_slice() {
            [BadImage { image, error }] => format!("image {image:?} {}", error.message),
            several => format!("{} of {all} images cannot be read", several.len()),
        };
        let status = status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        Self {
            images,
            ..Self::new(status, code.unwrap_or("image"), message)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            error: Content {
                code: self.code,
                message: &self.message,
                images: &self.images,
            },
        };
        let mut response = response::json(self.status, &body);
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// Status and reason of an image that cannot be decoded or prepared. No such error names a file, because the
/// bytes come from none.
pub(crate) fn of_image(error: &ImageError) -> (StatusCode, Reason) {
    let error = error.reason();
    let (status, code) = match error {
        ImageError::TooManyBytes { .. } | ImageError::TooManyPixels { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "image_too_large")
        }
        ImageError::UnknownFormat(_) | ImageError::Unsupported { .. } => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "image_format")
        }
        ImageError::Truncated(_) => (StatusCode::UNPROCESSABLE_ENTITY, "image_truncated"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "image_damaged"),
    };
    let message = error.to_string();
    (status, Reason { code, message })
}
