//! Loaders: images in batches, decoded ahead of their use by worker threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use promptsrc_image::{Image, ImageError, Limits, Preprocess, within_budget};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Augment, DataError, Item, Stream};

/// How images are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Images per batch. The reference trains with 4 and tests with 100.
    pub batch_size: usize,
    /// Threads that decode; 0 for one per processor. Results do not depend on their number.
    pub threads: usize,
    /// How many batches are prepared while one is in use.
    pub ahead: usize,
    /// Limits on the size of an image.
    pub limits: Limits,
}

impl LoaderOptions {
    /// Default options, for batches of the given size.
    pub fn new(batch_size: usize) -> Self {
        Self {
            batch_size,
            threads: 0,
            ahead: 2,
            limits: Limits::default(),
        }
    }
}

/// A batch of images, as an image tower takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Normalised pixels, `[n, 3, resolution, resolution]`.
    pub images: Vec<f32>,
    /// Labels, `[n]`.
    pub labels: Vec<usize>,
    /// Indices into the loader's list of items, `[n]`.
    pub indices: Vec<usize>,
    /// How many images the batch has.
    pub n: usize,
}

/// Batches for training: shuffled and randomly cropped, with a new order and new crops each epoch.
#[derive(Debug)]
pub struct TrainLoader {
    workers: Workers,
    augment: Augment,
    seed: u64,
}

impl TrainLoader {
    /// A loader of the given images.
    ///
    /// # Errors
    /// [`DataError::ZeroBatch`], [`DataError::Augment`], [`DataError::Threads`].
    pub fn new(
        items: Vec<Item>,
        preprocess: Preprocess,
        augment: Augment,
        seed: u64,
        options: LoaderOptions,
    ) -> Result<Self, DataError> {
        augment.check()?;
        Ok(Self {
            workers: Workers::new(items, preprocess, options)?,
            augment,
            seed,
        })
    }

    /// Batches per epoch. As in the reference, an incomplete last batch is dropped, unless it is
    /// the only one.
    pub fn batches(&self) -> usize {
        let (items, size) = (self.workers.items.len(), self.workers.options.batch_size);
        if items < size {
            items.div_ceil(size)
        } else {
            items / size
        }
    }

    /// The images of the loader.
    pub fn items(&self) -> &[Item] {
        &self.workers.items
    }

    /// The batches of an epoch. They depend on the seed, the epoch and the list of images only.
    pub fn epoch(&self, epoch: u64) -> Batches {
        self.epoch_after(epoch, 0)
    }

    /// As [`epoch`](Self::epoch), without the first batches of it, which are not loaded.
    pub fn epoch_after(&self, epoch: u64, finished: usize) -> Batches {
        // Images use their indices as keys; the order has one that no image has.
        let mut order: Vec<usize> = (0..self.workers.items.len()).collect();
        Stream::new(self.seed, epoch, u64::MAX).shuffle(&mut order);
        order.truncate(
            self.batches()
                .saturating_mul(self.workers.options.batch_size),
        );
        let before = finished.saturating_mul(self.workers.options.batch_size);
        order.drain(..before.min(order.len()));
        self.start(order, epoch)
    }

    /// All images in their order, with the crops of an epoch; the last batch may be smaller.
    pub fn in_order(&self, epoch: u64) -> Batches {
        self.start((0..self.workers.items.len()).collect(), epoch)
    }

    fn start(&self, order: Vec<usize>, epoch: u64) -> Batches {
        let (augment, seed, preprocess) = (self.augment, self.seed, self.workers.preprocess);
        self.workers.start(
            order,
            Arc::new(move |image, index| {
                let mut random = Stream::new(seed, epoch, index as u64);
                let (crop, flip) = augment.draw(image.width(), image.height(), &mut random);
                preprocess.cut(image, crop, flip)
            }),
        )
    }
}

/// Batches for evaluation: in order, centre crops, the last batch possibly smaller.
#[derive(Debug)]
pub struct EvalLoader {
    workers: Workers,
}

impl EvalLoader {
    /// A loader of the given images.
    ///
    /// # Errors
    /// [`DataError::ZeroBatch`], [`DataError::Threads`].
    pub fn new(
        items: Vec<Item>,
        preprocess: Preprocess,
        options: LoaderOptions,
    ) -> Result<Self, DataError> {
        Ok(Self {
            workers: Workers::new(items, preprocess, options)?,
        })
    }

    /// How many batches there are.
    pub fn len(&self) -> usize {
        self.workers
            .items
            .len()
            .div_ceil(self.workers.options.batch_size)
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.workers.items.is_empty()
    }

    /// The images of the loader.
    pub fn items(&self) -> &[Item] {
        &self.workers.items
    }

    /// All batches, once.
    pub fn batches(&self) -> Batches {
        let order = (0..self.workers.items.len()).collect();
        let preprocess = self.workers.preprocess;
        self.workers
            .start(order, Arc::new(move |image, _| preprocess.center(image)))
    }
}

/// What both loaders share: images, settings, threads.
struct Workers {
    items: Arc<[Item]>,
    preprocess: Preprocess,
    options: LoaderOptions,
    pool: Arc<ThreadPool>,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} images, {:?}, {:?}",
            self.items.len(),
            self.preprocess,
            self.options
        )
    }
}

impl Workers {
    fn new(
        items: Vec<Item>,
        preprocess: Preprocess,
        options: LoaderOptions,
    ) -> Result<Self, DataError> {
        if options.batch_size == 0 {
            return Err(DataError::ZeroBatch);
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|i| format!("images-{i}"))
            // If a decoder panics, its image fails, not the process; see `finish`.
            .panic_handler(|_| {})
            .build()
            .map_err(|e| DataError::Threads {
                threads: options.threads,
                reason: e.to_string(),
            })?;
        Ok(Self {
            items: items.into(),
            preprocess,
            options,
            pool: Arc::new(pool),
        })
    }

    fn start(&self, order: Vec<usize>, transform: Arc<Transform>) -> Batches {
        let mut batches = Batches {
            items: self.items.clone(),
            preprocess: self.preprocess,
            options: self.options,
            pool: self.pool.clone(),
            transform,
            order: order.into(),
            in_flight: VecDeque::new(),
            cancelled: Arc::new(AtomicBool::new(false)),
        };
        batches.fill();
        batches
    }
}

/// From a decoded image and its index to the crop that the tower sees, still in bytes: as floats,
/// in the batch, it is four times as large.
type Transform = dyn Fn(&Image, usize) -> Result<Image, ImageError> + Send + Sync;

/// An iterator over batches that are being loaded. Dropping it stops the workers.
///
/// A batch with images that cannot be decoded is an error that names all of them; the next batch
/// may be fine.
pub struct Batches {
    items: Arc<[Item]>,
    preprocess: Preprocess,
    options: LoaderOptions,
    pool: Arc<ThreadPool>,
    transform: Arc<Transform>,
    /// Indices of the images that are not yet in a batch.
    order: VecDeque<usize>,
    in_flight: VecDeque<Pending>,
    cancelled: Arc<AtomicBool>,
}

/// A batch whose images are being loaded.
struct Pending {
    indices: Vec<usize>,
    /// Position in the batch, and the image or why it failed.
    results: Receiver<(usize, Result<Image, ImageError>)>,
}

impl Batches {
    /// Starts batches until enough are being loaded.
    fn fill(&mut self) {
        while self.in_flight.len() <= self.options.ahead && !self.order.is_empty() {
            let count = self.options.batch_size.min(self.order.len());
            let indices: Vec<usize> = self.order.drain(..count).collect();
            let (sender, results) = channel();
            for (slot, index) in indices.iter().copied().enumerate() {
                let (items, transform, cancelled, sender) = (
                    self.items.clone(),
                    self.transform.clone(),
                    self.cancelled.clone(),
                    sender.clone(),
                );
                let limits = self.options.limits;
                self.pool.spawn_fifo(move || {
                    if cancelled.load(Ordering::Relaxed) {
                        return;
                    }
                    let Some(item) = items.get(index) else { return };
                    // The pixels are free again when they have become an input.
                    let result = within_budget(|| {
                        item.image(&limits).and_then(|image| {
                            transform(&image, index).map_err(|error| error.in_file(&item.path))
                        })
                    });
                    // Nobody receives if the batches were dropped meanwhile.
                    let _ = sender.send((slot, result));
                });
            }
            self.in_flight.push_back(Pending { indices, results });
        }
    }

    /// The next batch of those images that can be decoded, and the others: their places in the
    /// loader's list, and why they cannot.
    pub fn next_with_failures(&mut self) -> Option<(Batch, Vec<(usize, ImageError)>)> {
        let pending = self.in_flight.pop_front()?;
        // Before waiting: the workers should never be without work.
        self.fill();
        Some(self.finish(pending))
    }

    /// Waits for the images of a batch.
    fn finish(&self, pending: Pending) -> (Batch, Vec<(usize, ImageError)>) {
        let Pending { indices, results } = pending;
        let mut slots: Vec<Option<Result<Image, ImageError>>> = Vec::new();
        slots.resize_with(indices.len(), || None);
        // Ends when every worker has sent its image or stopped.
        for (slot, result) in results {
            if let Some(place) = slots.get_mut(slot) {
                *place = Some(result);
            }
        }
        let wanted = indices.len();
        let mut batch = Batch {
            images: Vec::new(),
            labels: Vec::with_capacity(wanted),
            indices: Vec::with_capacity(wanted),
            n: 0,
        };
        let mut failures = Vec::new();
        for (slot, index) in slots.into_iter().zip(indices) {
            let Some(item) = self.items.get(index) else {
                continue;
            };
            match slot {
                Some(Ok(image)) => {
                    if batch.images.is_empty() {
                        batch.images.reserve_exact(wanted * image.pixels().len());
                    }
                    self.preprocess.normalise_onto(&image, &mut batch.images);
                    batch.labels.push(item.label);
                    batch.indices.push(index);
                    batch.n += 1;
                }
                Some(Err(error)) => failures.push((index, error)),
                None => failures.push((
                    index,
                    ImageError::Damaged {
                        format: "image",
                        reason: "the decoder panicked; please report this file".into(),
                    }
                    .in_file(&item.path),
                )),
            }
        }
        (batch, failures)
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (batch, failures) = self.next_with_failures()?;
        Some(match failures.is_empty() {
            true => Ok(batch),
            false => Err(DataError::Images(
                failures.into_iter().map(|(_, error)| error).collect(),
            )),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.in_flight.len() + self.order.len().div_ceil(self.options.batch_size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

impl Drop for Batches {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batches({} left)", self.len())
    }
}
