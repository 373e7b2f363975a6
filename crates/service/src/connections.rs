//! Connections: accepted within a bound, given up where nothing moves, and let finish at the end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use crate::settings::Stop;
use crate::state::State;

/// How often it is looked whether the service shall stop.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of the headers of a request, and of the pieces in which a body is read.
const BUFFER: usize = 64 << 10;
/// Header lines of a request.
const MOST_HEADERS: usize = 64;
/// Connections that are being turned away at a time; more are closed without a word.
const MOST_TURNED_AWAY: usize = 64;

/// Serves connections until the service shall stop, then lets them finish. Gives whether all have.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    state: Arc<State>,
    should_stop: Arc<Stop>,
) -> bool {
    let bounds = &state.settings.bounds;
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(bounds.max_connections.max(1)));
    let turned_away = Arc::new(Semaphore::new(MOST_TURNED_AWAY));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(BUFFER)
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
                    let _ = timeout(Duration::from_secs(1), turn_away(stream)).await;
                });
            }
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        // Who does not read the answer is given up.
        stream.set_write_timeout(Some(bounds.timeout));
        let io: TokioIo<Pin<Box<TimeoutStream<TcpStream>>>> = TokioIo::new(Box::pin(stream));
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(io, service));
        let metrics = state.metrics.clone();
        metrics.connections.inc();
        tokio::spawn(async move {
            let _slot = slot;
            // What is wrong with a connection is no concern of others.
            let _ = connection.await;
            metrics.connections.dec();
        });
    }
    state.stop();
    drop(listener);
    timeout(bounds.drain, graceful.shutdown()).await.is_ok()
}

/// Tells a client that there are too many, in the form of every other answer.
async fn turn_away(mut stream: TcpStream) -> std::io::Result<()> {
    let body = r#"{"error":{"code":"busy","message":"there are too many connections; try again"}}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // A connection that is closed before its request is read loses the answer.
    let mut rest = [0; 4096];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
