//! What a service counts, as Prometheus reads it.

use std::fmt;
use std::sync::Mutex;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The media type of the text.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Route and status of a request.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    route: String,
    status: u16,
}

/// A route.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RouteLabels {
    route: String,
}

/// Whether the features of a list of names were known.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CacheLabels {
    result: &'static str,
}

/// All counters of a service.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
    class_lists: Family<CacheLabels, Counter>,
    /// Images that have been answered.
    pub images: Counter,
    /// Images that could not be read.
    pub bad_images: Counter,
    /// Images of a pass through the image tower.
    pub batch_images: Histogram,
    /// Requests of a batch.
    pub batch_requests: Histogram,
    /// Seconds from a request's entry into the queue to its batch.
    pub waited: Histogram,
    /// Seconds of a batch.
    pub computed: Histogram,
    /// Images that are decoded, wait or are being answered.
    pub queued: Gauge,
    /// Class names whose features are kept.
    pub cached_names: Gauge,
    /// Open connections.
    pub connections: Gauge,
    /// Connections that were turned away.
    pub refused_connections: Counter,
}

/// A histogram of seconds, from a millisecond to a minute.
fn seconds() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

/// A histogram of numbers of things.
fn numbers() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 9))
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds as fn() -> Histogram),
            class_lists: Family::default(),
            images: Counter::default(),
            bad_images: Counter::default(),
            batch_images: numbers(),
            batch_requests: numbers(),
            waited: seconds(),
            computed: seconds(),
            queued: Gauge::default(),
            cached_names: Gauge::default(),
            connections: Gauge::default(),
            refused_connections: Counter::default(),
        };
        let mut registry = Registry::with_prefix("promptsrc");
        let r = &mut registry;
        r.register(
            "requests",
            "Requests by route and status",
            metrics.requests.clone(),
        );
        r.register(
            "request_seconds",
            "Seconds of a request",
            metrics.seconds.clone(),
        );
        r.register(
            "images",
            "Images that were answered",
            metrics.images.clone(),
        );
        r.register(
            "bad_images",
            "Images that could not be read",
            metrics.bad_images.clone(),
        );
        r.register(
            "batch_images",
            "Images of a pass through the image tower",
            metrics.batch_images.clone(),
        );
        r.register(
            "batch_requests",
            "Requests of a batch",
            metrics.batch_requests.clone(),
        );
        r.register(
            "queue_seconds",
            "Seconds that a request waits for its batch",
            metrics.waited.clone(),
        );
        r.register(
            "batch_seconds",
            "Seconds of a batch",
            metrics.computed.clone(),
        );
        r.register(
            "queued_images",
            "Images that are decoded, wait or are being answered",
            metrics.queued.clone(),
        );
        r.register(
            "class_lists",
            "Requests with class names of their own, by whether the features were known",
            metrics.class_lists.clone(),
        );
        r.register(
            "cached_names",
            "Class names whose features are kept",
            metrics.cached_names.clone(),
        );
        r.register(
            "connections",
            "Open connections",
            metrics.connections.clone(),
        );
        r.register(
            "refused_connections",
            "Connections that were turned away",
            metrics.refused_connections.clone(),
        );
        Self {
            registry: Mutex::new(registry),
            ..metrics
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Counts a request.
    pub fn request(&self, route: &str, status: u16, seconds: f64) {
        let route = route.to_string();
        let labels = RequestLabels {
            route: route.clone(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.seconds
            .get_or_create(&RouteLabels { route })
            .observe(seconds);
    }

    /// Counts a request whose head could not be read, and so has no route.
    pub fn unreadable(&self, status: u16) {
        let route = "unreadable".to_string();
        let labels = RequestLabels { route, status };
        self.requests.get_or_create(&labels).inc();
    }

    /// Counts a list of names.
    pub fn class_lists(&self, known: bool) {
        let result = if known { "hit" } else { "miss" };
        self.class_lists
            .get_or_create(&CacheLabels { result })
            .inc();
    }

    /// All of it, as text.
    pub fn text(&self) -> String {
        let registry = self.registry.lock();
        let registry = registry.unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
