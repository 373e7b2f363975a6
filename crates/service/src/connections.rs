//! Connections: accepted within a bound, given up where nothing moves, and let finish at the end.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, CONTENT_LENGTH};
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use hyper::server::conn::http1::{self, Parts};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::bare_answers::WithoutBareAnswers;
use crate::guard::protect;
use crate::problem::Problem;
use crate::settings::Stop;
use crate::state::State;
use crate::unreadable::refusal;

/// How often it is looked whether the service shall stop.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of the headers of a request, and of the pieces in which a body is read.
const BUFFER: usize = 64 << 10;
/// Header lines of a request.
const MOST_HEADERS: usize = 64;
/// Connections that are being turned away at a time; more are closed without a word.
const MOST_TURNED_AWAY: usize = 64;
/// Longest time for the last answer of a connection, until its client has read it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves connections until the service shall stop, then lets them finish. Gives whether all have.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    state: Arc<State>,
    should_stop: Arc<Stop>,
) -> bool {
    let bounds = &state.settings.bounds;
    let (stop, stopping) = watch::channel(());
    let slots = Arc::new(Semaphore::new(bounds.max_connections.max(1)));
    let turned_away = Arc::new(Semaphore::new(MOST_TURNED_AWAY));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(BUFFER)
        // A buffer may become larger than that.
        .max_header_size(BUFFER)
        .max_headers(MOST_HEADERS);
    while !should_stop() {
        let stream = match timeout(TICK, listener.accept()).await {
            Err(_) => continue,
            Ok(Ok((stream, _))) => stream,
            // Too many open files, or a connection that is gone already.
            Ok(Err(_)) => {
                sleep(TICK).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            state.metrics.refused_connections.inc();
            if let Ok(permit) = turned_away.clone().try_acquire_owned() {
                tokio::spawn(async move {
                    let _permit = permit;
                    let busy = Problem::busy("there are too many connections; try again");
                    let _ = timeout(PATIENCE, last_answer(stream, busy)).await;
                });
            }
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        // Who does not read the answer is given up.
        stream.set_write_timeout(Some(bounds.timeout));
        let (http, router) = (http.clone(), router.clone());
        let (state, stopping) = (state.clone(), stopping.clone());
        tokio::spawn(async move {
            let _slot = slot;
            state.metrics.connections.inc();
            serve_one(Box::pin(stream), http, router, &state, stopping).await;
            state.metrics.connections.dec();
        });
    }
    state.stop();
    drop(listener);
    drop(stopping);
    let _ = stop.send(());
    timeout(bounds.drain, stop.closed()).await.is_ok()
}

/// Serves a connection to its end, which comes after the answer under way when it is stopping. What is wrong with it
/// is no concern of others.
async fn serve_one(
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    http: http1::Builder,
    router: Router,
    state: &State,
    mut stopping: watch::Receiver<()>,
) {
    let io = TokioIo::new(WithoutBareAnswers::new(stream));
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |request| Box::pin(service.call(request)));
    let mut connection = http.serve_connection(io, service);
    let ended = {
        let mut told = pin!(stopping.changed());
        let mut is_told = false;
        poll_fn(|context| {
            if !is_told && told.as_mut().poll(context).is_ready() {
                is_told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            connection.poll_without_shutdown(context)
        })
        .await
    };
    let Parts { io, read_buf, .. } = connection.into_parts();
    let WithoutBareAnswers {
        mut stream,
        kept_back,
    } = io.into_inner();
    let refusal = match &ended {
        Ok(()) => None,
        Err(error) => refusal(error, kept_back, &read_buf),
    };
    match refusal {
        Some(problem) => {
            state.unreadable(problem.status);
            let _ = timeout(PATIENCE, last_answer(stream, problem)).await;
        }
        None => {
            let _ = stream.shutdown().await;
        }
    }
}

/// Gives an answer that is the last of its connection, in the form of every other one.
async fn last_answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    problem: Problem,
) -> io::Result<()> {
    let (mut parts, body) = problem.into_response().into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    protect(&mut parts.headers);
    let close = HeaderValue::from_static("close");
    parts.headers.insert(CONNECTION, close);
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    let mut answer = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        answer.extend_from_slice(name.as_ref());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(&body);
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    // A connection that is closed before its request is read loses the answer.
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
