//! A service from its address to its end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use promptsrc::ClassifierError;

use crate::connections;
use crate::engine::ServedEngine;
use crate::routes::router;
use crate::served::Served;
use crate::settings::{ServiceSettings, Stop};
use crate::state::State;
use crate::worker::work;

/// Threads that read requests and write answers.
const THREADS: usize = 2;
/// Threads beside the decoders for what takes a while and is not the model.
const SPARE_THREADS: usize = 4;

/// A service that has an address and does not answer yet.
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    settings: ServiceSettings,
}

/// A service that cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Bounds that exclude each other.
    #[error("a queue of {queue} images cannot take a request of {images}")]
    Queue {
        /// Images of the queue.
        queue: usize,
        /// Images of a request.
        images: usize,
    },
    /// Bounds that exclude each other.
    #[error("bodies of {bodies} bytes in all leave no room for one of {body}")]
    Bodies {
        /// Bytes of all bodies.
        bodies: usize,
        /// Bytes of a body.
        body: usize,
    },
    /// The system does not give threads.
    #[error("threads cannot be started: {0}")]
    Threads(#[source] io::Error),
    /// There is no classifier for the model's own class names.
    #[error(transparent)]
    Model(#[from] ClassifierError),
}

impl Service {
    /// Takes the address. Connections wait until [`run`](Self::run).
    ///
    /// # Errors
    /// [`ServiceError`] if the address is not to be had, or the bounds exclude each other.
    pub fn bind(settings: ServiceSettings) -> Result<Self, ServiceError> {
        let bounds = &settings.bounds;
        if bounds.queue < bounds.max_images {
            return Err(ServiceError::Queue {
                queue: bounds.queue,
                images: bounds.max_images,
            });
        }
        if bounds.max_bodies < bounds.max_body {
            return Err(ServiceError::Bodies {
                bodies: bounds.max_bodies,
                body: bounds.max_body,
            });
        }
        let address = SocketAddr::new(settings.host, settings.port);
        let refused = |source| ServiceError::Bind { address, source };
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        Ok(Self {
            address: listener.local_addr().map_err(refused)?,
            listener,
            settings,
        })
    }

    /// The address, with the port that was free.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `should_stop` says so, which is asked all the time, and what is under way is finished. The
    /// model is loaded and used on this thread; before it is there, `/healthz` answers and `/readyz` does
    /// not. `ready` is called when it is there. Gives whether everything was finished in time.
    ///
    /// # Errors
    /// That of `load`; [`ServiceError`].
    pub fn run<E: From<ServiceError>>(
        self,
        load: impl FnOnce() -> Result<Served, E>,
        ready: impl FnOnce(),
        should_stop: Arc<Stop>,
    ) -> Result<bool, E> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(self.settings.decoders.max(1) + SPARE_THREADS)
            .thread_name("promptsrc-http")
            .enable_all()
            .build()
            .map_err(ServiceError::Threads)?;
        let bounds = self.settings.bounds.clone();
        let (state, mut jobs) = State::new(self.settings, self.address.ip().is_loopback());
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(self.listener).map_err(ServiceError::Threads)?
        };
        let router = router(&state);
        let shared = state.clone();
        let server = runtime.spawn(async move {
            let all = connections::serve(listener, router, shared.clone(), should_stop).await;
            shared.queue.end();
            all
        });
        let served = load()?;
        let metrics = state.metrics.clone();
        let mut engine =
            ServedEngine::new(&served, &bounds, &metrics).map_err(ServiceError::Model)?;
        state.loaded(&served).map_err(ServiceError::Model)?;
        ready();
        work(&mut engine, &mut jobs, &bounds, &metrics);
        let all = runtime.block_on(server).unwrap_or(false);
        // Threads that still decode are left behind.
        runtime.shutdown_timeout(Duration::from_secs(1));
        Ok(all)
    }
}
