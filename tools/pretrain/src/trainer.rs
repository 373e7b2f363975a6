//! The training state and its step: a batch of captioned images in, better weights out.
//!
//! A batch is processed in parts of a fixed size, each with a graph of its own, by any number of
//! threads. The loss needs the features of the whole batch: it is computed between the forward and
//! the backward passes of the parts, as in GradCache (Gao et al. 2021) but without computing the
//! features twice. Sums are made in the order of the parts, so the number of threads changes
//! nothing.

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc::preprocess;
use promptsrc_clip::{ClipConfig, WeightError, values};
use promptsrc_world::pretrain_sample;
use serde::Serialize;

use crate::adamw::{AdamW, Moments};
use crate::contrastive::contrast;
use crate::parameters::{Leaves, Values, initial};
use crate::recipe::{PART, Recipe};
use crate::vocabulary::Vocabulary;

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

impl State {
    /// The state before the first step.
    pub fn initial(recipe: &Recipe, vocab_size: usize) -> Self {
        Self {
            step: 0,
            weights: initial(&recipe.clip(vocab_size), recipe.seed),
            moments: Moments::default(),
        }
    }
}

/// Trains one CLIP.
pub struct Trainer {
    pub config: ClipConfig,
    pub vocabulary: Vocabulary,
    pub adam: AdamW,
    /// Pairs per step.
    pub batch: usize,
    /// Seed of the stream of images.
    pub seed: u64,
    pub workers: Vec<rayon::ThreadPool>,
    pub device: Device,
    pub state: State,
}

/// What a step reports.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StepReport {
    pub loss: f32,
    /// Share of a batch's images that find their own caption.
    pub accuracy: f32,
    pub lr: f64,
    /// Norm of the gradient.
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
    #[error("an image cannot be prepared: {0}")]
    Image(String),
    #[error("the loss became {loss} in step {step}: lower --lr")]
    NotFinite { loss: f32, step: usize },
}

/// A part of a batch between its forward and its backward pass.
struct Part {
    leaves: Leaves,
    image: Tensor<2>,
    text: Tensor<2>,
}

impl Trainer {
    /// A trainer that continues from `state`, with `threads` worker threads.
    pub fn new(
        recipe: &Recipe,
        vocabulary: Vocabulary,
        state: State,
        threads: usize,
    ) -> Result<Self, rayon::ThreadPoolBuildError> {
        let worker = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build();
        Ok(Self {
            config: recipe.clip(vocabulary.len()),
            vocabulary,
            adam: recipe.adam(),
            batch: recipe.batch,
            seed: recipe.seed,
            workers: (0..threads).map(worker).collect::<Result<_, _>>()?,
            device: Device::default(),
            state,
        })
    }

    /// Makes one step.
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
        let upstream = found
            .image
            .chunks_exact(width)
            .zip(found.text.chunks_exact(width));
        let backward = self
            .in_parallel(graphs.into_iter().zip(upstream), |(part, (image, text))| {
                part.backward(image, text, &self.device)
            });
        let mut gradients = Values::new();
        for part in backward {
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

    /// Forward pass of [`PART`] pairs, the first of which is number `first` of the stream.
    fn forward(&self, first: u64) -> Result<Part, TrainerError> {
        let leaves = Leaves::new(&self.state.weights, &self.device);
        let clip = leaves.clip(&self.config, &self.device)?;
        let side = self.config.vision.resolution as u32;
        let preprocess = preprocess(&clip);
        let (mut pixels, mut tokens) = (Vec::new(), Vec::new());
        for index in first..first + PART as u64 {
            let sample = pretrain_sample(self.seed, index, side);
            let image = preprocess.apply(&sample.image);
            pixels.extend(image.map_err(|e| TrainerError::Image(e.to_string()))?);
            tokens.push(self.vocabulary.tokens(&sample.caption)?);
        }
        let vision = clip.vision();
        let image = vision.features(&vision.stem(vision.images(pixels, PART)), &[]);
        let text = clip.text().features(&clip.text().prepare(&tokens, 0)?, &[]);
        Ok(Part {
            leaves,
            image,
            text,
        })
    }

    /// Distributes jobs over the workers in turn; results are in the order of the jobs.
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
    /// Backward pass: gradients of the weights, given those of the features.
    fn backward(self, image: &[f32], text: &[f32], device: &Device) -> Values {
        let weigh = |features: Tensor<2>, upstream: &[f32]| {
            let data = TensorData::new(upstream.to_vec(), features.dims());
            (features * Tensor::from_data(data, device)).sum()
        };
        let sum = weigh(self.image, image) + weigh(self.text, text);
        self.leaves.gradients(&mut sum.backward())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trainer(threads: usize) -> Trainer {
        let vocabulary = Vocabulary::of_world(1, 3000).expect("texts of the world");
        let recipe = Recipe {
            seed: 1,
            steps: 1000,
            batch: 64,
            lr: 3e-3,
            weight_decay: 0.05,
            warmup: 2,
            embed_dim: 16,
            vision_width: 64,
            vision_layers: 1,
            patch: 16,
            text_width: 64,
            text_layers: 1,
        };
        let state = State::initial(&recipe, vocabulary.len());
        Trainer::new(&recipe, vocabulary, state, threads).expect("threads")
    }

    #[test]
    fn the_weights_do_not_depend_on_the_threads_nor_on_a_stop() {
        let mut whole = trainer(1);
        let mut parted = trainer(3);
        let folder = std::env::temp_dir().join(format!("pretrain-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("state.safetensors");
        for step in 0..4 {
            whole.step().expect("a step");
            parted.step().expect("a step");
            if step == 1 {
                crate::files::save_state(&path, &parted.state, &"recipe").expect("a file");
                let (state, recipe): (State, String) =
                    crate::files::load_state(&path).expect("a state");
                assert_eq!(recipe, "recipe");
                parted = trainer(2);
                parted.state = state;
            }
        }
        std::fs::remove_dir_all(&folder).expect("its end");
        assert_eq!(whole.state.step, parted.state.step);
        assert!(whole.state.weights == parted.state.weights);
        assert!(whole.state.moments == parted.state.moments);
    }

    #[test]
    fn the_loss_falls_from_that_of_guessing() {
        let mut trainer = trainer(2);
        let first = trainer.step().expect("a step").loss;
        assert!(first > 64.0_f32.ln() - 0.2, "{first}");
        let mut last = first;
        for _ in 0..60 {
            last = trainer.step().expect("a step").loss;
        }
        assert!(last < first - 0.5, "{first} {last}");
    }

    #[test]
    fn an_exported_clip_gives_the_features_that_were_trained() {
        let mut trainer = trainer(2);
        trainer.step().expect("a step");
        let path = std::env::temp_dir().join(format!("mini-{}.safetensors", std::process::id()));
        let Trainer {
            config, vocabulary, ..
        } = &trainer;
        crate::files::export(&path, config, &trainer.state.weights, vocabulary).expect("a file");
        let weights = promptsrc_clip::ClipWeights::open(&path).expect("a CLIP");
        assert_eq!(weights.config().text.vocab_size, crate::vocabulary::FULL);
        let exported = promptsrc_clip::ClipModel::new(&weights, &trainer.device).expect("a CLIP");
        std::fs::remove_file(&path).expect("its end");

        let text = "a photo of a red car.";
        let tokens = promptsrc_clip::Tokenizer::clip().tokenize(text, 77, false);
        let found = exported
            .text()
            .encode(&[tokens.expect("tokens")])
            .expect("a text");
        let leaves = Leaves::new(&trainer.state.weights, &trainer.device);
        let clip = leaves.clip(config, &trainer.device).expect("a CLIP");
        let own = vocabulary.tokens(text).expect("tokens");
        let expected = clip.text().encode(&[own]).expect("a text");
        for (a, b) in values(found).iter().zip(values(expected)) {
            // The exported weights are rounded to f16.
            assert!((a - b).abs() < 5e-3, "{a} {b}");
        }
    }
}
