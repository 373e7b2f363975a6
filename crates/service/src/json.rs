//! A request as JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use promptsrc::calibration::Wanted;
use serde::Deserialize;

use crate::bounds::Bounds;
use crate::count::Count;
use crate::names::{self, trimmed};
use crate::object::Object;
use crate::problem::Problem;
use crate::request::{Asked, Upload, set_method};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'d> {
    #[serde(borrow, default)]
    images: Vec<Object<EncodedImage<'d>>>,
    names: Option<Vec<String>>,
    #[serde(default)]
    texts: Vec<String>,
    top_k: Option<usize>,
    coverage: Option<f64>,
    sets: Option<String>,
    unknown: Option<bool>,
    allow_unreadable: Option<bool>,
}

/// The lengths of its lists.
#[derive(Deserialize)]
struct Counts {
    images: Option<Count>,
    names: Option<Count>,
    texts: Option<Count>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncodedImage<'d> {
    #[serde(borrow)]
    name: Option<Cow<'d, str>>,
    /// The file in base64.
    #[serde(borrow)]
    data: Cow<'d, str>,
}

/// The request of a body.
///
/// # Errors
/// 400 if it is no JSON, 422 if it is another document than that of a request, 413 if it has too many images or
/// names.
pub(crate) fn parse(body: &[u8], bounds: &Bounds) -> Result<Asked, Problem> {
    let wrong = |error: serde_json::Error| {
        let message = format!("JSON: {error}");
        match error.classify() {
            serde_json::error::Category::Data => Problem::invalid(message),
            _ => Problem::malformed(message),
        }
    };
    let Object(counts): Object<Counts> = serde_json::from_slice(body).map_err(wrong)?;
    let count = |of: Option<Count>| of.unwrap_or_default().0;
    check_count(count(counts.images), bounds)?;
    names::check_count("names", count(counts.names), bounds)?;
    names::check_count("texts", count(counts.texts), bounds)?;
    let Object(document): Object<Document> = serde_json::from_slice(body).map_err(wrong)?;
    let image = |(place, Object(image)): (usize, Object<EncodedImage>)| {
        let name = image.name.map(Cow::into_owned);
        let name = name.unwrap_or_else(|| default_name(place));
        let bytes = STANDARD.decode(image.data.as_bytes()).map_err(|error| {
            Problem::invalid(format!("image {name:?}: data is no base64: {error}"))
        })?;
        let bytes = bytes.into();
        Ok(Upload { name, bytes })
    };
    let images = document.images.into_iter().enumerate();
    if document.top_k == Some(0) {
        return Err(Problem::invalid("top_k: expected at least 1, found 0"));
    }
    Ok(Asked {
        images: images.map(image).collect::<Result<_, Problem>>()?,
        names: document.names.map(trimmed),
        texts: trimmed(document.texts),
        top_k: document.top_k,
        wanted: Wanted {
            coverage: document.coverage,
            sets: document.sets.as_deref().map(set_method).transpose()?,
            unknown: document.unknown.unwrap_or_default(),
        },
        allow_unreadable: document.allow_unreadable.unwrap_or_default(),
        given: Vec::new(),
    })
}

/// The name of an image that has none.
pub(crate) fn default_name(place: usize) -> String {
    format!("image {}", place + 1)
}

/// Fails if these are more images than a request may have.
pub(crate) fn check_count(images: usize, bounds: &Bounds) -> Result<(), Problem> {
    match images > bounds.max_images {
        true => Err(Problem::too_large(
            "too_many_images",
            format!(
                "{images} images are more than the {} that a request may have",
                bounds.max_images
            ),
        )),
        false => Ok(()),
    }
}
