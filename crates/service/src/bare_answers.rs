//! A connection that keeps back hyper's own answers, which are a status without a body.
//!
//! Where the head of a request cannot be read, hyper answers before the service sees anything, and says no more than
//! the status. The connection ends with that answer, so whoever serves it can give one with a reason in its place.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The headers of such an answer. Each of the service's own has others beside them.
const BARE_HEADERS: [&str; 3] = ["connection", "content-length", "date"];

/// Most bytes of such an answer.
const LONGEST: usize = 256;

/// A connection and the answer that was kept back.
///
/// Several buffers are never written at once, so that all that waits to be written comes as one.
#[derive(Debug)]
pub(crate) struct WithoutBareAnswers<S> {
    pub stream: S,
    /// The status of the answer that was not written; it would have been the last.
    pub kept_back: Option<StatusCode>,
}

impl<S> WithoutBareAnswers<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            kept_back: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithoutBareAnswers<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WithoutBareAnswers<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match bare_answer(bytes) {
            None => Pin::new(&mut this.stream).poll_write(context, bytes),
            Some((b"", status)) => {
                this.kept_back = Some(status);
                Poll::Ready(Ok(bytes.len()))
            }
            // What belongs to an earlier answer is written first.
            Some((before, _)) => Pin::new(&mut this.stream).poll_write(context, before),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// The status of the bare answer that these bytes end with, and what is before it.
fn bare_answer(bytes: &[u8]) -> Option<(&[u8], StatusCode)> {
    const BEGIN: &[u8] = b"HTTP/1.";
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let (_, end) = bytes.split_at(bytes.len().saturating_sub(LONGEST));
    let place = end.windows(BEGIN.len()).rposition(|part| part == BEGIN)?;
    let (before, answer) = bytes.split_at(bytes.len() - end.len() + place);
    let mut lines = std::str::from_utf8(answer).ok()?.trim_end().split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let is_bare = |line: &str| {
        let name = line.split(':').next().unwrap_or_default();
        BARE_HEADERS.contains(&name.to_ascii_lowercase().as_str())
    };
    let is_bare = StatusCode::is_client_error(&status) && lines.all(is_bare);
    is_bare.then_some((before, status))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\
                        date: Sun, 29 Nov 2026 19:00:00 GMT\r\n\r\n";

    #[test]
    fn what_is_before_a_bare_answer_is_written_however_little_is_taken_at_a_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let (read, kept_back) = runtime.expect("a runtime").block_on(async {
            let (near, mut far) = tokio::io::duplex(3);
            let mut connection = WithoutBareAnswers::new(near);
            let all = format!("an answer before{BARE}");
            let mut read = String::new();
            let write = async {
                connection.write_all(all.as_bytes()).await.expect("room");
                connection.shutdown().await.expect("an end");
                connection.kept_back
            };
            let (kept_back, _) =
                futures_util::future::join(write, far.read_to_string(&mut read)).await;
            (read, kept_back)
        });
        assert_eq!(read, "an answer before");
        assert_eq!(kept_back, Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }

    #[test]
    fn only_an_answer_that_says_nothing_is_bare() {
        let bare = BARE;
        let found = |text: &str| {
            let (before, status) = bare_answer(text.as_bytes())?;
            Some((before.len(), status.as_u16()))
        };
        assert_eq!(found(bare), Some((0, 431)));
        assert_eq!(found(&format!("{{\"a\":1}}{bare}")), Some((7, 431)));
        for other in [
            String::new(),
            "\r\n\r\n".to_string(),
            bare.trim_end().to_string(),
            format!("{bare}x"),
            bare.replace("431", "200"),
            bare.replace("date:", "cache-control: no-store\r\ndate:"),
            bare.replace("HTTP/1.1", "HTTP/2"),
        ] {
            assert_eq!(found(&other), None, "{other:?}");
        }
    }
}
