//! The body of an answer, as long as it keeps coming.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::error::FetchError;

/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// Fewest bytes that are to arrive while one is patient: a server that sends a byte now and then would
/// keep the download alive for ever.
const FEWEST: u64 = 16 << 10;

/// Pieces of a body, read by a thread of its own, so that a server that stops sending is noticed.
pub(super) struct Body {
    pieces: Receiver<io::Result<Vec<u8>>>,
    patience: Duration,
    /// Since when, and how much has arrived since.
    since: Instant,
    arrived: u64,
}

impl Body {
    pub fn new(mut reader: impl Read + Send + 'static, patience: Duration) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(4);
        let read = move || {
            loop {
                let mut piece = vec![0; PIECE];
                let result = match reader.read(&mut piece) {
                    Ok(0) => return,
                    Ok(n) => {
                        piece.truncate(n);
                        Ok(piece)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = result.is_err();
                // Nobody waits for it where the download was given up.
                if sender.send(result).is_err() || failed {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("download".to_string())
            .spawn(read)?;
        Ok(Self {
            pieces,
            patience,
            since: Instant::now(),
            arrived: 0,
        })
    }

    /// The next piece; none at the end.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        let stalled = FetchError::Stalled {
            seconds: self.patience.as_secs(),
        };
        let left = self.patience.saturating_sub(self.since.elapsed());
        match self.pieces.recv_timeout(left) {
            Ok(Ok(piece)) => {
                self.arrived += piece.len() as u64;
                if self.arrived >= FEWEST {
                    (self.since, self.arrived) = (Instant::now(), 0);
                }
                Ok(Some(piece))
            }
            Ok(Err(source)) => Err(FetchError::Broken { source }),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(stalled),
        }
    }

    /// All of it, of at most `most` bytes.
    pub fn all(mut self, most: u64) -> Result<Vec<u8>, FetchError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next()? {
            bytes.extend(piece);
            if bytes.len() as u64 > most {
                return Err(FetchError::TooLong { most });
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends one byte at a time, and waits before each.
    struct Slow(Duration);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(self.0);
            buffer[0] = 7;
            Ok(1)
        }
    }

    #[test]
    fn a_body_that_comes_is_read_to_its_end() -> Result<(), Box<dyn std::error::Error>> {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|i| i as u8).collect();
        let body = Body::new(io::Cursor::new(bytes.clone()), Duration::from_secs(60))?;
        assert_eq!(body.all(1_000_000)?, bytes);
        let body = Body::new(io::Cursor::new(bytes), Duration::from_secs(60))?;
        assert!(matches!(body.all(999_999), Err(FetchError::TooLong { .. })));
        Ok(())
    }

    #[test]
    fn a_body_that_drips_is_given_up() -> Result<(), Box<dyn std::error::Error>> {
        for wait in [1, 1_000_000] {
            let reader = Slow(Duration::from_millis(wait));
            let body = Body::new(reader, Duration::from_millis(200))?;
            let found = body.all(1 << 30);
            assert!(
                matches!(found, Err(FetchError::Stalled { .. })),
                "{found:?}"
            );
        }
        Ok(())
    }
}
