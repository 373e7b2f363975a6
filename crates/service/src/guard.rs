//! What holds for every request: who may ask, what every answer carries, and that a fault is one answer.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;

use crate::body::discard;
use crate::paths::is_open;
use crate::problem::Problem;
use crate::state::State;

/// Nothing but what the service itself serves, and images that a person has dropped.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers a request that may be answered, counts it, and turns a panic into an answer.
pub(crate) async fn guard(
    Shared(state): Shared<Arc<State>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let route = path.map_or("other".to_string(), |path| path.as_str().to_string());
    let mut response = match admit(&state, &request) {
        Ok(()) => AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Problem::internal().into_response()),
        Err(problem) => {
            let (parts, body) = request.into_parts();
            discard(body, &parts.headers, &state.settings.bounds).await;
            problem.into_response()
        }
    };
    protect(response.headers_mut());
    let status = response.status().as_u16();
    let seconds = start.elapsed().as_secs_f64();
    state.metrics.request(&route, status, seconds);
    if let Some(log) = &state.settings.log {
        log(&format!(
            "{method} {route} {status} {:.1} ms",
            1e3 * seconds
        ));
    }
    response
}

/// Adds what every answer carries.
pub(crate) fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// # Errors
/// 421 if the request is for another host, 403 if another site's page has sent it, 401 if it lacks the token.
fn admit(state: &State, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    // A page of another site whose name leads to this machine could read the answers otherwise.
    if state.on_loopback
        && let Some(host) = headers.get(HOST)
        && !is_own(host, &state.settings.allowed_hosts)
    {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host",
            "this service answers requests to localhost only; other names are allowed when it is started",
        ));
    }
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if request.method() == Method::POST && matches!(site, Some(b"cross-site" | b"same-site")) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "other_site",
            "a page of another site has sent this request",
        ));
    }
    let Some(token) = &state.settings.token else {
        return Ok(());
    };
    let carried = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    match is_open(request.uri().path()) || carried.is_some_and(|c| token.is_carried_by(c)) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "token",
            "the request needs the token of this service: Authorization: Bearer TOKEN",
        )),
    }
}

/// Whether a `Host` header names this machine, or one of these.
fn is_own(host: &HeaderValue, allowed: &[String]) -> bool {
    let Ok(host) = host.to_str() else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    // A full name may end with the dot of the root.
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        let allowed = ["clip.example".to_string()];
        let own = |host: &str| is_own(&HeaderValue::from_str(host).expect("a value"), &allowed);
        for right in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:80",
            "[::1]",
            "clip.example:443",
        ] {
            assert!(own(right), "{right}");
        }
        for wrong in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "[::2]",
            "127.0.0.1.evil.example:80",
        ] {
            assert!(!own(wrong), "{wrong}");
        }
    }
}
