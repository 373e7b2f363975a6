//! The training state and its step: a batch of captioned pictures in, better weights out.
//!
//! A batch is worked on in parts of a fixed size, each with a graph of its own, by as many threads
//! as there are. The loss needs the features of the whole batch: it is taken between the parts' way
//! forward and their way back, as in GradCache (Gao et al. 2021) but without computing the
//! features twice. Sums are made in the order of the parts, so the threads' number changes nothing.

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_clip::{ClipConfig, WeightError, values};
use promptsrc_picture::Preprocess;
use promptsrc_world::pretrain_sample;
use serde::{Deserialize, Serialize};

use crate::adamw::{AdamW, Moments};
use crate::contrastive::contrast;
use crate::parameters::{Leaves, Values};
use crate::vocabulary::Vocabulary;

/// Pictures of a part; their activations fit a core's cache.
const PART: usize = 16;

/// The logarithm of the scale stays below that of 100, as OpenAI's does.
const GREATEST_LOGIT_SCALE: f32 = 4.605_17;

/// What changes while a CLIP is trained.
#[derive(Clone, Debug)]
pub struct State {
    /// Finished steps.
    pub step: usize,
    pub weights: Values,
    pub moments: Moments,
}

/// Trains one CLIP.
pub struct Trainer {
    pub config: ClipConfig,
    pub vocabulary: Vocabulary,
    pub adam: AdamW,
    /// Pairs a step.
    pub batch: usize,
    /// Of the stream of pictures.
    pub seed: u64,
    pub workers: Vec<rayon::ThreadPool>,
    pub device: Device,
    pub state: State,
}

/// What a step showed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StepReport {
    pub loss: f32,
    /// Share of a batch's pictures that find their own caption.
    pub accuracy: f32,
    pub lr: f64,
    /// Length of the gradient.
    pub norm: f64,
    /// The factor between similarities and logits.
    pub scale: f32,
}

/// A training step that failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainerError {
    #[error(transparent)]
    Weights(#[from] WeightError),
    #[error("a caption cannot be encoded: {0}")]
    Text(#[from] promptsrc_clip::TextInputError),
    #[error("a caption cannot be tokenised: {0}")]
    Token(#[from] promptsrc_clip::TokenizeError),
    #[error("a picture cannot be prepared: {0}")]
    Picture(String),
    #[error("the loss became {loss} in step {step}: lower --lr")]
    NotFinite { loss: f32, step: usize },
}

/// A part of a batch on its way.
struct Part {
    leaves: Leaves,
    image: Tensor<2>,
    text: Tensor<2>,
}

impl Trainer {
    /// One step.
    pub fn step(&mut self) -> Result<StepReport, TrainerError> {
        let parts = self.batch / PART;
        let first = (self.state.step * self.batch) as u64;
        let forward = self.in_parallel((0..parts).map(|p| first + (p * PART) as u64), |at| {
            let part = self.forward(at)?;
            let features = (values(part.image.clone()), values(part.text.clone()));
            Ok::<_, TrainerError>((part, features))
        });
        let (mut graphs, mut image, mut text) = (Vec::new(), Vec::new(), Vec::new());
        for result in forward {
            let (part, (i, t)) = result?;
            graphs.push(part);
            image.extend(i);
            text.extend(t);
        }
        let logit_scale = self.state.weights["logit_scale"][0];
        let found = contrast(image, text, self.batch, logit_scale, &self.device);
        if !found.loss.is_finite() {
            return Err(TrainerError::NotFinite {
                loss: found.loss,
                step: self.state.step + 1,
            });
        }
        let width = found.image.len() / parts;
        let upstream = found.image.chunks_exact(width).zip(found.text.chunks_exact(width));
        let back = self.in_parallel(graphs.into_iter().zip(upstream), |(part, (image, text))| {
            part.backward(image, text, &self.device)
        });
        let mut gradients = Values::new();
        for part in back {
            for (name, gradient) in part {
                match gradients.get_mut(&name) {
                    Some(sum) => sum.iter_mut().zip(gradient).for_each(|(s, g)| *s += g),
                    None => drop(gradients.insert(name, gradient)),
                }
            }
        }
        gradients.insert("logit_scale".into(), vec![found.logit_scale]);

        let State {
            step,
            weights,
            moments,
        } = &mut self.state;
        let lr = self.adam.learning_rate(*step);
        let norm = self.adam.step(*step, weights, &gradients, moments);
        for scale in weights.get_mut("logit_scale").into_iter().flatten() {
            *scale = scale.clamp(0.0, GREATEST_LOGIT_SCALE);
        }
        *step += 1;
        Ok(StepReport {
            loss: found.loss,
            accuracy: found.accuracy,
            lr,
            norm,
            scale: logit_scale.exp(),
        })
    }

    /// The features of the [`PART`] pairs from `first` on.
    fn forward(&self, first: u64) -> Result<Part, TrainerError> {
        let leaves = Leaves::new(&self.state.weights, &self.device);
        let clip = leaves.clip(&self.config, &self.device)?;
        let side = self.config.vision.resolution as u32;
        let preprocess = Preprocess {
            resolution: side,
            mean: self.config.mean,
            std: self.config.std,
        };
        let (mut pixels, mut tokens) = (Vec::new(), Vec::new());
        for index in first..first + PART as u64 {
            let sample = pretrain_sample(self.seed, index, side);
            let picture = preprocess.apply(&sample.picture);
            pixels.extend(picture.map_err(|e| TrainerError::Picture(e.to_string()))?);
            tokens.push(self.vocabulary.tokens(&sample.caption)?);
        }
        let image = clip.image_features(clip.vision().images(pixels, PART));
        let text = clip.text().features(&clip.text().prepare(&tokens, 0)?, &[]);
        Ok(Part {
            leaves,
            image,
            text,
        })
    }

    /// Maps jobs by turns over the workers; results are in the order of the jobs.
    fn in_parallel<T: Send, R: Send>(
        &self,
        jobs: impl Iterator<Item = T>,
        work: impl Fn(T) -> R + Sync,
    ) -> Vec<R> {
        let n = self.workers.len();
        let mut queues: Vec<Vec<(usize, T)>> = (0..n).map(|_| Vec::new()).collect();
        for (i, job) in jobs.enumerate() {
            queues[i % n].push((i, job));
        }
        let work = &work;
        let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
            let workers = self.workers.iter().zip(queues).map(|(worker, queue)| {
                scope.spawn(move || {
                    // Each in a pool of one thread: the engine must not split a part's work.
                    worker.install(|| {
                        let jobs = queue.into_iter();
                        jobs.map(|(i, job)| (i, work(job))).collect::<Vec<_>>()
                    })
                })
            });
            let workers: Vec<_> = workers.collect();
            let results = workers.into_iter().map(|w| w.join());
            results
                .flat_map(|r| r.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        done.sort_by_key(|(i, _)| *i);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

impl Part {
    /// The weights' gradients, given the features'.
    fn backward(self, image: &[f32], text: &[f32], device: &Device) -> Values {
        let weigh = |features: Tensor<2>, upstream: &[f32]| {
            let data = TensorData::new(upstream.to_vec(), features.dims());
            (features * Tensor::from_data(data, device)).sum()
        };
        let sum = weigh(self.image, image) + weigh(self.text, text);
        self.leaves.gradients(&mut sum.backward())
    }
}
