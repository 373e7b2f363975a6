//! The body of a request, read within the bounds.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::bounds::Bounds;
use crate::problem::Problem;

/// Longest time for which a body that is refused is still read, so that the client sees the answer: one that is
/// still writing when the connection ends gets an error of the network instead.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes that are read of a body that is refused, or as many as a body may have.
const MOST_DISCARDED: usize = 64 << 20;

/// A body, whose bytes count as long as it is kept.
#[derive(Debug)]
pub(crate) struct Received {
    pub bytes: Bytes,
    _counted: Option<OwnedSemaphorePermit>,
}

/// Reads a body. `bodies`: the bytes that all bodies may still have.
///
/// # Errors
/// 413 if it is larger than a body may be, 408 if it does not come in time, 503 if all bodies together are too
/// large, 400 if it ends early.
pub(crate) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    bounds: &Bounds,
    bodies: &Arc<Semaphore>,
    deadline: Instant,
) -> Result<Received, Problem> {
    let too_large = || {
        Problem::too_large(
            "body_too_large",
            format!("the body is larger than {} bytes", bounds.max_body),
        )
    };
    let announced = announced(headers);
    if announced.is_some_and(|length| length > bounds.max_body as u64) {
        discard(body, headers, bounds).await;
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    let mut counted: Option<OwnedSemaphorePermit> = None;
    loop {
        let Ok(frame) = timeout_at(deadline, body.frame()).await else {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "slow_body",
                format!(
                    "the body did not come within {} s",
                    bounds.timeout.as_secs_f32()
                ),
            ));
        };
        let data = match frame {
            None => break,
            Some(Err(_)) => return Err(Problem::malformed("the body ends before its end")),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                // Trailers.
                Err(_) => continue,
            },
        };
        if bytes.len() + data.len() > bounds.max_body {
            drop((bytes, counted));
            discard(body, headers, bounds).await;
            return Err(too_large());
        }
        let many = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let Ok(more) = bodies.clone().try_acquire_many_owned(many) else {
            drop((bytes, counted));
            discard(body, headers, bounds).await;
            return Err(Problem::busy(
                "the bodies of all requests together are too large at the moment; try again",
            ));
        };
        match &mut counted {
            Some(counted) => counted.merge(more),
            None => counted = Some(more),
        }
        // A copy: a small piece would keep the whole buffer that it was read into.
        bytes.extend_from_slice(&data);
    }
    Ok(Received {
        bytes: bytes.freeze(),
        _counted: counted,
    })
}

/// Reads and forgets what still comes of a body that is refused, for a while.
pub(crate) async fn discard(mut body: Body, headers: &HeaderMap, bounds: &Bounds) {
    // Who waits to be told to send sends nothing.
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut left = bounds.max_body.max(MOST_DISCARDED);
    let _ = timeout(PATIENCE, async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => break,
            }
        }
    })
    .await;
}

/// The length that the headers announce.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
