//! What is answered where there is no request that could be answered, because its head cannot be read.

use axum::http::StatusCode;

use crate::problem::Problem;

/// The refusal of what could not be read. `kept_back`: hyper's own answer to it; `read`: what has been read of it.
/// `None` where nobody waits for an answer.
pub(crate) fn refusal(
    error: &hyper::Error,
    kept_back: Option<StatusCode>,
    read: &[u8],
) -> Option<Problem> {
    Some(match kept_back {
        Some(status @ StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => Problem::new(
            status,
            "headers_too_large",
            "the address and the headers of the request are too large, or the headers too many",
        ),
        // The first bytes of a handshake: its kind, and the major version of the protocol.
        Some(_) if read.starts_with(&[22, 3]) => {
            Problem::malformed("this is TLS, and the service speaks plain HTTP/1.1")
        }
        Some(_) => Problem::malformed(format!("this is no request of HTTP/1.1: {error}")),
        None if error.is_parse_version_h2() => Problem::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "http_version",
            "the service speaks HTTP/1.1, and this is HTTP/2",
        ),
        // A connection without a request ends without a word: what it said could be taken for the answer to the
        // next request.
        None if error.is_timeout() && !read.trim_ascii().is_empty() => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow_headers",
            "the headers of the request did not come in time",
        ),
        None => return None,
    })
}
