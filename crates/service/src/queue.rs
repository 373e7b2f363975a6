//! The work that waits for the model, bounded by its images.

use std::sync::Arc;
use std::time::Instant;

use promptsrc::calibration::{CalibratedAnswer, Wanted};
use promptsrc::{Image, Prediction};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::bounds::Bounds;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// What the model is asked.
#[derive(Debug)]
pub(crate) struct Work {
    /// Squares of the size that the image tower takes.
    pub images: Vec<Image>,
    pub question: Question,
}

/// What is asked of the images.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// The probabilities of class names; `None`: those of the model.
    Predict {
        names: Option<Arc<[String]>>,
        /// What is wanted of the calibration.
        wanted: Wanted,
    },
    /// The features of the images and of texts, by the frozen towers.
    Embed { texts: Vec<String> },
}

/// What the model answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// For each image.
    Predictions(Vec<(Prediction, Option<CalibratedAnswer>)>),
    /// For each image, and for each text.
    Features(Vec<Vec<f32>>, Vec<Vec<f32>>),
}

/// Work with a place for its answer.
#[derive(Debug)]
pub(crate) struct Job {
    pub work: Work,
    pub reply: oneshot::Sender<Result<Answer, Problem>>,
    pub since: Instant,
    /// Free again when the job is done, or nobody waits for it any more.
    pub places: Places,
}

/// What the thread of the model receives.
#[derive(Debug)]
pub(crate) enum Message {
    Job(Job),
    /// There will be no more jobs.
    End,
}

/// Places in the queue, one for each image of a request.
#[derive(Debug)]
pub(crate) struct Places {
    _permit: OwnedSemaphorePermit,
    images: i64,
    metrics: Arc<Metrics>,
}

impl Drop for Places {
    fn drop(&mut self) {
        self.metrics.queued.dec_by(self.images);
    }
}

/// The entrance of the queue.
#[derive(Debug)]
pub(crate) struct Queue {
    places: Arc<Semaphore>,
    size: usize,
    sender: UnboundedSender<Message>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// An empty queue, and its exit.
    pub fn new(bounds: &Bounds, metrics: &Arc<Metrics>) -> (Self, UnboundedReceiver<Message>) {
        let (sender, receiver) = unbounded_channel();
        let size = bounds.queue;
        let queue = Self {
            places: Arc::new(Semaphore::new(size)),
            size,
            sender,
            metrics: metrics.clone(),
        };
        (queue, receiver)
    }

    /// Places for a request.
    ///
    /// # Errors
    /// 429 if there are not so many.
    pub fn places(&self, images: usize) -> Result<Places, Problem> {
        // Texts alone take one.
        let wanted = images.max(1);
        let many = u32::try_from(wanted).unwrap_or(u32::MAX);
        match self.places.clone().try_acquire_many_owned(many) {
            Ok(permit) => {
                let images = i64::from(many);
                self.metrics.queued.inc_by(images);
                Ok(Places {
                    _permit: permit,
                    images,
                    metrics: self.metrics.clone(),
                })
            }
            Err(_) => Err(Problem::new(
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                "queue_full",
                format!(
                    "{} images wait already, and this request's {wanted} would be more than the queue \
                     of {}; try again in a moment",
                    self.size - self.places.available_permits().min(self.size),
                    self.size
                ),
            )),
        }
    }

    /// Whether a request of one image would be refused.
    pub fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    /// Asks the model.
    ///
    /// # Errors
    /// What the model answers; 503 if it has ended.
    pub async fn ask(&self, work: Work, places: Places) -> Result<Answer, Problem> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            work,
            reply,
            since: Instant::now(),
            places,
        };
        self.send(job)?;
        answer.await.unwrap_or_else(|_| Err(Problem::stopping()))
    }

    /// Puts a job into the queue.
    pub fn send(&self, job: Job) -> Result<(), Problem> {
        let sent = self.sender.send(Message::Job(job));
        sent.map_err(|_| Problem::stopping())
    }

    /// No more jobs will come.
    pub fn end(&self) {
        let _ = self.sender.send(Message::End);
    }
}
