//! One training run's state and its step: forward, losses, gradients of the prompts, SGD, aggregation.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use promptsrc_clip::{ClipModel, TextInput, Tokenizer, unit, values};

use crate::aggregation::{Aggregate, gaussian_weights};
use crate::class_texts::{ClassTextError, prompt_input, teacher_text_features, tokens};
use crate::config::{ConfigError, TrainConfig};
use crate::losses::{LossValues, Losses, Outputs};
use crate::optimizer::sgd_step;
use crate::prompts::{Prompts, PromptsError};
use crate::schedule::learning_rate;

/// What changes while a run learns, and all that a resume needs: random state is derived from
/// (seed, epoch, image), so it is not here.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerState {
    /// Epochs that are finished.
    pub epoch: usize,
    /// The prompts as they stand.
    pub prompts: Prompts,
    /// Velocity of each prompt, by name; empty before the first step.
    pub velocity: BTreeMap<String, Vec<f32>>,
    /// The weighted sum of the finished epochs' prompts.
    pub aggregate: Aggregate,
}

/// Learns prompts for one list of classes on one frozen CLIP.
#[derive(Debug)]
pub struct Learner<'a> {
    clip: &'a ClipModel,
    config: TrainConfig,
    texts: TextInput,
    /// Unit frozen text features, `[classes, embed_dim]`.
    teacher_text: Option<Tensor<2>>,
    aggregation: Option<Vec<f64>>,
    state: LearnerState,
}

/// A learner that cannot be made, or a step that failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LearnError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The class names.
    #[error(transparent)]
    Names(#[from] ClassTextError),
    /// The prompts to go on with.
    #[error(transparent)]
    Prompts(#[from] PromptsError),
    /// The loss is infinite or not a number.
    #[error(
        "the loss became {loss} in epoch {epoch}: the learning rate {lr} may be too high, or the \
         weights or images hold values that are not finite"
    )]
    NotFinite {
        /// The loss.
        loss: f32,
        /// The epoch, from 1.
        epoch: usize,
        /// The learning rate in force.
        lr: f64,
    },
}

/// Finds, before any work, a configuration or class names that this CLIP cannot take.
pub fn check(clip: &ClipModel, config: &TrainConfig, names: &[String]) -> Result<(), LearnError> {
    config.check_for(clip.config())?;
    let lead = config.prompt_lead();
    if config.prompts.begins_with_words() {
        Tokenizer::clip()
            .tokenize(&lead, clip.text().context_length(), false)
            .map_err(ConfigError::Words)?;
    }
    prompt_input(clip, &lead, config.prompts.n_ctx_text, names)?;
    Prompts::initial(&config.prompts, clip, config.seed)?;
    if config.regularisation.is_some() {
        for template in &config.templates {
            tokens(clip, template, names)?;
        }
    }
    Ok(())
}

/// A batch's gradients, before the optimiser sees them.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// Values of the losses.
    pub losses: LossValues,
    /// What the prompted towers gave.
    pub student: Outputs,
    /// What the frozen towers gave, where they are asked.
    pub teacher: Option<Outputs>,
    /// By prompt, in the order of [`Prompts::iter`]; without weight decay.
    pub gradients: Vec<Vec<f32>>,
}

impl<'a> Learner<'a> {
    /// A learner at the start of a run, with initial prompts of its own.
    pub fn new(
        clip: &'a ClipModel,
        config: TrainConfig,
        names: &[String],
    ) -> Result<Self, LearnError> {
        config.check_for(clip.config())?;
        let prompts = Prompts::initial(&config.prompts, clip, config.seed)?;
        Self::from_prompts(clip, config, names, prompts)
    }

    /// A learner at the start of a run, with given initial prompts.
    pub fn from_prompts(
        clip: &'a ClipModel,
        config: TrainConfig,
        names: &[String],
        prompts: Prompts,
    ) -> Result<Self, LearnError> {
        let state = LearnerState {
            epoch: 0,
            prompts,
            velocity: BTreeMap::new(),
            aggregate: Aggregate::default(),
        };
        Self::from_state(clip, config, names, state)
    }

    /// A learner that goes on from a saved state.
    pub fn from_state(
        clip: &'a ClipModel,
        config: TrainConfig,
        names: &[String],
        state: LearnerState,
    ) -> Result<Self, LearnError> {
        config.check_for(clip.config())?;
        state.prompts.check_for(clip)?;
        let lead = config.prompt_lead();
        let texts = prompt_input(clip, &lead, state.prompts.n_ctx_text(), names)?;
        let teacher_text = match &config.regularisation {
            Some(_) => Some(unit(teacher_text_features(clip, names, &config.templates)?)),
            None => None,
        };
        let aggregation = config
            .aggregation
            .as_ref()
            .map(|a| gaussian_weights(config.epochs, a));
        Ok(Self {
            clip,
            config,
            texts,
            teacher_text,
            aggregation,
            state,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// What changes while the run learns.
    pub fn state(&self) -> &LearnerState {
        &self.state
    }

    /// Whether all epochs are finished.
    pub fn is_finished(&self) -> bool {
        self.state.epoch >= self.config.epochs
    }

    /// Learning rate of the epoch that is under way.
    pub fn learning_rate(&self) -> f64 {
        learning_rate(&self.config.optim, self.config.epochs, self.state.epoch)
    }

    /// Losses and gradients of a batch. `images`: `[labels.len(), 3, resolution, resolution]`,
    /// normalised, row-major; `labels` below the number of classes.
    pub fn gradients(&self, images: Vec<f32>, labels: &[usize]) -> Gradients {
        let vision = self.clip.vision();
        let stem = vision.stem(vision.images(images, labels.len()));

        let teacher = self.teacher_text.clone().map(|text| {
            let image = unit(vision.features(&stem, &[]));
            self.outputs(text, image)
        });
        let prompts = self.state.prompts.tensors(self.clip.device(), true);
        let text = unit(self.clip.text().features(&self.texts, &prompts.text));
        let image = unit(vision.features(&stem, &prompts.vision));
        let student = self.outputs(text, image);

        let agreement = teacher.as_ref().zip(self.config.regularisation.as_ref());
        let losses = Losses::new(&student, labels, agreement);
        let values_of_losses = losses.values();
        let mut tape = losses.total.backward();
        let gradients = prompts
            .iter()
            .zip(self.state.prompts.iter())
            .map(|(tensor, prompt)| match tensor.grad_remove(&mut tape) {
                Some(gradient) => values(gradient),
                // Out of the graph: nothing that the loss sees depends on it.
                None => vec![0.0; prompt.values.len()],
            })
            .collect();
        let student = Outputs {
            text: student.text.inner(),
            image: student.image.inner(),
            logits: student.logits.inner(),
        };
        Gradients {
            losses: values_of_losses,
            student,
            teacher,
            gradients,
        }
    }

    fn outputs(&self, text: Tensor<2>, image: Tensor<2>) -> Outputs {
        let logits = image
            .clone()
            .matmul(text.clone().transpose())
            .mul_scalar(self.clip.logit_scale());
        Outputs {
            text,
            image,
            logits,
        }
    }

    /// One step of SGD with these gradients.
    pub fn apply(&mut self, gradients: &Gradients) {
        let lr = self.learning_rate();
        for (prompt, gradient) in self.state.prompts.iter_mut().zip(&gradients.gradients) {
            let velocity = self.state.velocity.entry(prompt.name.clone()).or_default();
            sgd_step(
                &self.config.optim,
                lr,
                &mut prompt.values,
                gradient,
                velocity,
            );
        }
    }

    /// One training step.
    pub fn step(&mut self, images: Vec<f32>, labels: &[usize]) -> Result<LossValues, LearnError> {
        let gradients = self.gradients(images, labels);
        let losses = gradients.losses;
        let finite = gradients.gradients.iter().flatten().all(|g| g.is_finite());
        if !losses.total.is_finite() || !finite {
            return Err(LearnError::NotFinite {
                loss: losses.total,
                epoch: self.state.epoch + 1,
                lr: self.learning_rate(),
            });
        }
        self.apply(&gradients);
        Ok(losses)
    }

    /// Ends an epoch: the prompts as they stand enter the aggregate.
    pub fn end_epoch(&mut self) {
        if let Some(weight) = self
            .aggregation
            .as_ref()
            .and_then(|w| w.get(self.state.epoch))
        {
            self.state.aggregate.add(&self.state.prompts, *weight);
        }
        self.state.epoch += 1;
    }

    /// What the run has learned: the aggregate of all epochs, or without aggregation the prompts
    /// as they stand.
    pub fn learned(&self) -> Prompts {
        match &self.aggregation {
            Some(_) => self.state.aggregate.finish(&self.state.prompts),
            None => self.state.prompts.clone(),
        }
    }
}
