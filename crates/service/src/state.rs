//! What all requests of a service share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::StatusCode;
use promptsrc::ClassifierError;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::decoding::Preparation;
use crate::metrics::Metrics;
use crate::model_card::ModelCard;
use crate::problem::Problem;
use crate::queue::{Message, Queue};
use crate::served::Served;
use crate::settings::ServiceSettings;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub settings: ServiceSettings,
    /// Whether it listens on loopback.
    pub on_loopback: bool,
    pub metrics: Arc<Metrics>,
    pub queue: Queue,
    /// Bytes that bodies may still have.
    pub bodies: Arc<Semaphore>,
    /// Images that may be decoded at a time.
    pub decoders: Arc<Semaphore>,
    model: OnceLock<(ModelCard, Arc<Preparation>)>,
    stopping: AtomicBool,
}

impl State {
    /// Without a model yet; and the exit of the queue.
    pub fn new(
        settings: ServiceSettings,
        on_loopback: bool,
    ) -> (Arc<Self>, UnboundedReceiver<Message>) {
        let metrics = Arc::new(Metrics::default());
        let (queue, jobs) = Queue::new(&settings.bounds, &metrics);
        let state = Self {
            on_loopback,
            queue,
            bodies: Arc::new(Semaphore::new(settings.bounds.max_bodies)),
            decoders: Arc::new(Semaphore::new(settings.decoders.max(1))),
            metrics,
            settings,
            model: OnceLock::new(),
            stopping: AtomicBool::new(false),
        };
        (Arc::new(state), jobs)
    }

    /// The model is there.
    ///
    /// # Errors
    /// [`ClassifierError`] if the configuration of the adapter cannot be used.
    pub fn loaded(&self, served: &Served) -> Result<(), ClassifierError> {
        let card = ModelCard::of(served)?;
        let bounds = &self.settings.bounds;
        let preparation = Preparation::new(card.preprocess, card.upright, bounds);
        let _ = self.model.set((card, Arc::new(preparation)));
        Ok(())
    }

    /// The model, and how its images are prepared.
    ///
    /// # Errors
    /// 503 as long as it is not there.
    pub fn model(&self) -> Result<(&ModelCard, &Arc<Preparation>), Problem> {
        let model = self.model.get().ok_or_else(Problem::loading)?;
        Ok((&model.0, &model.1))
    }

    /// Counts a request whose head could not be read.
    pub fn unreadable(&self, status: StatusCode) {
        self.metrics.unreadable(status.as_u16());
        if let Some(log) = &self.settings.log {
            log(&format!("unreadable {}", status.as_u16()));
        }
    }

    /// From now on it says that it is not ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it has been told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
