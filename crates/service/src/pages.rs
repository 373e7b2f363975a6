//! The page, its parts, and the description of the interface: files within the program.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// The description of the interface, OpenAPI 3.1 as JSON.
pub const OPENAPI: &str = include_str!("../assets/openapi.json");

fn file(media_type: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

pub(crate) async fn page() -> Response {
    file(
        "text/html; charset=utf-8",
        include_str!("../assets/page.html"),
    )
}

pub(crate) async fn style() -> Response {
    file(
        "text/css; charset=utf-8",
        include_str!("../assets/page.css"),
    )
}

pub(crate) async fn script() -> Response {
    let text = include_str!("../assets/page.js");
    file("text/javascript; charset=utf-8", text)
}

pub(crate) async fn icon() -> Response {
    file("image/svg+xml", include_str!("../assets/icon.svg"))
}

pub(crate) async fn openapi() -> Response {
    file("application/json", OPENAPI)
}
