//! How much of everything a service takes before it refuses.

use std::time::Duration;

/// Bounds of a service. What is over one of them is refused with a status that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the body of a request: 413.
    pub max_body: usize,
    /// Bytes of all bodies that are in memory at a time: 503.
    pub max_bodies: usize,
    /// Images of a request: 413.
    pub max_images: usize,
    /// Class names, or texts, of a request: 413.
    pub max_names: usize,
    /// Bytes of a class name, a text or an image's name: 422.
    pub max_name_bytes: usize,
    /// Pixels of an image, width x height: 413.
    pub max_pixels: u64,
    /// Images that are being decoded, wait or are being answered: 429.
    pub queue: usize,
    /// Images that are answered at a time. They go through the image tower in passes of at most so many.
    pub max_batch: usize,
    /// How long a batch waits for more images; zero: what waits becomes the batch.
    pub batch_delay: Duration,
    /// Time of a request from its headers to its answer: 408 while its body is read, 503 afterwards.
    pub timeout: Duration,
    /// Time for the headers of a request, and of a connection without a request: it is closed.
    pub header_timeout: Duration,
    /// Connections at a time: 503.
    pub max_connections: usize,
    /// Class names whose features are kept, of all lists together, beside those of the model.
    pub class_cache: usize,
    /// Time for what is under way when the service is told to stop.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_body: 64 << 20,
            max_bodies: 256 << 20,
            max_images: 64,
            max_names: 1000,
            max_name_bytes: 512,
            max_pixels: 2 * 89_478_485,
            queue: 256,
            max_batch: 32,
            batch_delay: Duration::ZERO,
            timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            max_connections: 256,
            class_cache: 20_000,
            drain: Duration::from_secs(15),
        }
    }
}
