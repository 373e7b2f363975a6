//! What the routes answer.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use promptsrc::Image;
use promptsrc::calibration::Wanted;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::answer::{Embedded, Embeddings, Predicted, Predictions, TextFeature};
use crate::body::{self, Received, discard};
use crate::decoding::{Prepared, prepare};
use crate::json::default_name;
use crate::metrics::MEDIA_TYPE;
use crate::problem::Problem;
use crate::queue::{Answer, Places, Question, Work};
use crate::request::{Asked, Upload};
use crate::state::State;
use crate::{json, multipart, names, response};

type Answered = Result<Response, Problem>;

/// The process is alive.
pub(crate) async fn healthz() -> Response {
    response::json(StatusCode::OK, &json!({ "status": "alive" }))
}

/// Requests will be answered.
pub(crate) async fn readyz(Shared(state): Shared<Arc<State>>) -> Answered {
    if state.is_stopping() {
        return Err(Problem::stopping());
    }
    state.model()?;
    match state.queue.is_full() {
        true => Err(Problem::busy("the queue is full")),
        false => Ok(response::json(
            StatusCode::OK,
            &json!({ "status": "ready" }),
        )),
    }
}

/// What has been counted.
pub(crate) async fn metrics(Shared(state): Shared<Arc<State>>) -> Response {
    let mut response = state.metrics.text().into_response();
    let media_type = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// The model and what a request may have.
pub(crate) async fn model(Shared(state): Shared<Arc<State>>) -> Answered {
    let (card, _) = state.model()?;
    let settings = &state.settings;
    let description = card.description(settings.top_k, &settings.bounds);
    Ok(response::json(StatusCode::OK, &description))
}

/// The most probable class names of images.
pub(crate) async fn predict(Shared(state): Shared<Arc<State>>, request: Request) -> Answered {
    let deadline = Instant::now() + state.settings.bounds.timeout;
    let (mut asked, received) = intake(&state, request, deadline).await?;
    in_time(&state, deadline, async {
        let (card, _) = state.model()?;
        if !asked.texts.is_empty() {
            return Err(Problem::invalid(
                "texts: /v1/embed takes texts, this takes names",
            ));
        }
        if asked.images.is_empty() {
            return Err(Problem::invalid("there is no image in the request"));
        }
        if let Some(names) = &asked.names {
            names::check(names, &state.settings.bounds)?;
        }
        let wanted = asked.wanted;
        let notes = card.check_wanted(&wanted, asked.names.as_deref())?;
        let top_k = asked.top_k.unwrap_or(state.settings.top_k);
        let names = asked.names.take().map(Arc::from);
        let question = Question::Predict { names, wanted };
        let (prepared, answer) = ask(&state, asked, received, question).await?;
        let Answer::Predictions(predictions) = answer else {
            return Err(Problem::internal());
        };
        let mut predictions = predictions.iter();
        let predicted = prepared.into_iter().map(|image| match image {
            Ok(name) => {
                let found = predictions.next().ok_or_else(Problem::internal)?;
                let (prediction, calibrated) = found;
                Ok(Predicted::new(name, prediction, calibrated.as_ref(), top_k))
            }
            Err(bad) => Ok(Predicted::Bad(bad)),
        });
        let answer = Predictions {
            model: card.name(),
            predictions: predicted.collect::<Result<_, Problem>>()?,
            notes,
        };
        Ok(response::json(StatusCode::OK, &answer))
    })
    .await
}

/// The features of images and texts.
pub(crate) async fn embed(Shared(state): Shared<Arc<State>>, request: Request) -> Answered {
    let deadline = Instant::now() + state.settings.bounds.timeout;
    let (mut asked, received) = intake(&state, request, deadline).await?;
    in_time(&state, deadline, async {
        let (card, _) = state.model()?;
        if asked.names.is_some() || asked.top_k.is_some() || asked.wanted != Wanted::default() {
            let message = "names, top_k, coverage, sets and unknown: /v1/predict takes them, this takes texts";
            return Err(Problem::invalid(message));
        }
        let texts = std::mem::take(&mut asked.texts);
        if asked.images.is_empty() && texts.is_empty() {
            let message = "there is neither an image nor a text in the request";
            return Err(Problem::invalid(message));
        }
        names::check_texts("texts", &texts, &state.settings.bounds)?;
        let question = Question::Embed {
            texts: texts.clone(),
        };
        let (prepared, answer) = ask(&state, asked, received, question).await?;
        let Answer::Features(images, features) = answer else {
            return Err(Problem::internal());
        };
        let mut images = images.into_iter();
        let embedded = prepared.into_iter().map(|image| match image {
            Ok(image) => {
                let feature = images.next().ok_or_else(Problem::internal)?;
                Ok(Embedded::Known { image, feature })
            }
            Err(bad) => Ok(Embedded::Bad(bad)),
        });
        let texts = texts.into_iter().zip(features);
        let answer = Embeddings {
            model: card.name(),
            embed_dim: card.embed_dim,
            images: embedded.collect::<Result<_, Problem>>()?,
            texts: texts
                .map(|(text, feature)| TextFeature { text, feature })
                .collect(),
        };
        Ok(response::json(StatusCode::OK, &answer))
    })
    .await
}

/// The forms of a request.
enum Form {
    Json,
    Multipart(String),
    /// The bytes of an image file; everything else is in the address.
    Raw,
}

/// The form of a request's body.
///
/// # Errors
/// 415 if it is none of them.
fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let unsupported =
        |message: String| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", message);
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(unsupported(
            "Content-Encoding: send the body as it is".to_string(),
        ));
    }
    let given = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let given = given.unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "application/json" => Ok(Form::Json),
        "multipart/form-data" => Ok(Form::Multipart(given.to_string())),
        "application/octet-stream" => Ok(Form::Raw),
        image if image.starts_with("image/") => Ok(Form::Raw),
        _ => Err(unsupported(format!(
            "Content-Type: expected multipart/form-data, application/json, image/* or \
             application/octet-stream, found {:?}",
            crate::fields::shortened(given)
        ))),
    }
}

/// Reads a request. Its bytes count as long as the second value is kept.
async fn intake(
    state: &Arc<State>,
    request: Request,
    deadline: Instant,
) -> Result<(Asked, Received), Problem> {
    let bounds = &state.settings.bounds;
    let (parts, body) = request.into_parts();
    let form = state.model().and_then(|_| form(&parts.headers));
    let form = match form {
        Ok(form) => form,
        Err(problem) => {
            discard(body, &parts.headers, bounds).await;
            return Err(problem);
        }
    };
    let received = body::read(body, &parts.headers, bounds, &state.bodies, deadline).await?;
    let query = parts.uri.query().filter(|query| !query.is_empty());
    if !matches!(form, Form::Raw) && query.is_some() {
        let message = "parameters in the address are for an image alone; others are in the body";
        return Err(Problem::invalid(message));
    }
    let bytes = received.bytes.clone();
    let (asked, received) = match form {
        Form::Json => {
            // Much base64 takes a while. The bytes count until it is done, also where nobody waits any more.
            let bounds = bounds.clone();
            let parse = move || (json::parse(&bytes, &bounds), received);
            let parsed = tokio::task::spawn_blocking(parse).await;
            let (asked, received) = parsed.map_err(|_| Problem::internal())?;
            (asked?, received)
        }
        Form::Multipart(content_type) => {
            let asked = multipart::parse(bytes, &content_type, bounds).await?;
            (asked, received)
        }
        Form::Raw => {
            let mut asked = Asked {
                images: vec![Upload {
                    name: default_name(0),
                    bytes,
                }],
                ..Asked::default()
            };
            asked.set_all(query, bounds)?;
            (asked, received)
        }
    };
    let long = |image: &&Upload| image.name.len() > bounds.max_name_bytes;
    match asked.images.iter().find(long) {
        Some(image) => Err(Problem::invalid(format!(
            "the name of an image has {} bytes, more than the {} that it may have",
            image.name.len(),
            bounds.max_name_bytes
        ))),
        None => Ok((asked, received)),
    }
}

/// The names of a request's images, or why there is no answer for them, in order.
type Named = Vec<Result<String, crate::problem::BadImage>>;

/// Decodes the images and asks the model.
async fn ask(
    state: &Arc<State>,
    asked: Asked,
    received: Received,
    question: Question,
) -> Result<(Named, Answer), Problem> {
    let (_, preparation) = state.model()?;
    let all = asked.images.len();
    let places: Places = state.queue.places(all)?;
    let prepared = prepare(asked.images, preparation, &state.decoders).await?;
    // The bytes are no longer needed.
    drop(received);
    let bad = prepared.iter().filter(|image| image.is_err()).count();
    state.metrics.bad_images.inc_by(bad as u64);
    if bad > 0 && (bad == all || !asked.allow_unreadable) {
        let bad = prepared.into_iter().filter_map(Result::err).collect();
        return Err(Problem::images(all, bad));
    }
    let mut images: Vec<Image> = Vec::with_capacity(all);
    let mut take = |prepared: Prepared| match prepared {
        Ok((name, image)) => {
            images.push(image);
            Ok(name)
        }
        Err((bad, _)) => Err(bad),
    };
    let named: Named = prepared.into_iter().map(&mut take).collect();
    let answered = images.len() as u64;
    let work = Work { images, question };
    let answer = state.queue.ask(work, places).await?;
    state.metrics.images.inc_by(answered);
    Ok((named, answer))
}

/// # Errors
/// 503 if it takes too long.
async fn in_time(
    state: &State,
    deadline: Instant,
    answer: impl Future<Output = Answered>,
) -> Answered {
    match timeout_at(deadline, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            format!(
                "there was no answer within {} s",
                state.settings.bounds.timeout.as_secs_f32()
            ),
        )),
    }
}
