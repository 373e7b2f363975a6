//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::guard::guard;
use crate::paths::ROUTES;
use crate::problem::Problem;
use crate::state::State;
use crate::{handlers, pages};

/// All routes of a service.
pub(crate) fn router(state: &Arc<State>) -> Router {
    Router::new()
        .route("/", get(pages::page))
        .route("/page.css", get(pages::style))
        .route("/page.js", get(pages::script))
        .route("/icon.svg", get(pages::icon))
        .route("/openapi.json", get(pages::openapi))
        .route("/healthz", get(handlers::healthz))
        .route("/readyz", get(handlers::readyz))
        .route("/metrics", get(handlers::metrics))
        .route("/v1/model", get(handlers::model))
        .route("/v1/predict", post(handlers::predict))
        .route("/v1/embed", post(handlers::embed))
        .fallback(not_found)
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(state.clone(), guard))
        .with_state(state.clone())
}

async fn not_found() -> Problem {
    let message = "there is nothing at this path; /openapi.json describes what there is";
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}

async fn other_method(request: Request) -> Problem {
    let path = request.uri().path();
    let allow = ROUTES.iter().find(|route| route.1 == path);
    let allow = match allow {
        Some(("GET", _)) => "GET, HEAD",
        _ => "POST",
    };
    Problem {
        allow: Some(allow),
        ..Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            format!("this path takes {allow}"),
        )
    }
}
