//! What a service is told before it starts.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::bounds::Bounds;
use crate::token::Token;

/// Receives a line for each request.
pub(crate) type Log = dyn Fn(&str) + Send + Sync;

/// Says whether a service shall stop.
pub type Stop = dyn Fn() -> bool + Send + Sync;

/// The settings of a service.
#[derive(Clone)]
pub struct ServiceSettings {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port; 0: one that is free.
    pub port: u16,
    /// The token that requests must carry, if any.
    pub token: Option<Token>,
    /// Names of this service, beside `localhost`, that a request may be for while it listens on loopback.
    pub allowed_hosts: Vec<String>,
    /// Number of class names in an answer that asks for no other.
    pub top_k: usize,
    /// Threads that decode images.
    pub decoders: usize,
    /// Bounds.
    pub bounds: Bounds,
    /// Receives a line for each request.
    pub log: Option<Arc<Log>>,
}

impl fmt::Debug for ServiceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}
