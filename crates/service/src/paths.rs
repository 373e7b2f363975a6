//! The paths of the routes.

/// Method and path of each route.
pub const ROUTES: [(&str, &str); 11] = [
    ("GET", "/"),
    ("GET", "/page.css"),
    ("GET", "/page.js"),
    ("GET", "/icon.svg"),
    ("GET", "/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/v1/model"),
    ("POST", "/v1/predict"),
    ("POST", "/v1/embed"),
];

/// Whether a path is answered without the token: those that say nothing about the model or its users.
pub(crate) fn is_open(path: &str) -> bool {
    !(path.starts_with("/v1/") || path == "/metrics")
}
