//! The training loop of all prompt methods: forward, losses, backward, step, aggregation.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::Tensor;
use promptsrc_clip::{ClipModel, TextInput, unit, values};
use promptsrc_datasets::{DataError, TrainLoader};

use crate::aggregation::{Aggregate, gaussian_weights};
use crate::class_texts::{ClassTextError, teacher_text_features, tokens};
use crate::config::{ConfigError, Guidance, TrainConfig};
use crate::forward::{outputs, prompted, prompted_image};
use crate::gradient_projection::project;
use crate::losses::{LossValues, Losses, Outputs, teacher_cross_entropy};
use crate::methods::prompt_model;
use crate::parameters::{Leaves, ParameterError, Parameters};
use crate::prompt_model::{PromptModel, TowerPrompts};
use crate::sgd::{learning_rate, sgd_step};

/// Everything that changes during training and that a resume needs. Random state is derived from
/// (seed, epoch, image) and is therefore not part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// Number of finished epochs.
    pub epoch: usize,
    /// Number of finished steps of the epoch that is under way; 0 between two epochs.
    pub step: usize,
    /// Sum of the losses of those steps.
    pub losses: LossValues,
    /// The current parameters.
    pub parameters: Parameters,
    /// Velocity of each parameter by name; empty before the first step.
    pub velocity: BTreeMap<String, Vec<f32>>,
    /// The weighted sum of the parameters of the finished epochs.
    pub aggregate: Aggregate,
}

/// A training of parameters for one list of classes on one frozen CLIP.
#[derive(Debug)]
pub struct Training<'a> {
    clip: &'a ClipModel,
    config: TrainConfig,
    model: Box<dyn PromptModel>,
    texts: TextInput,
    /// Unit frozen text features, `[classes, embed_dim]`.
    teacher_text: Option<Tensor<2>>,
    /// Weight of each epoch in the aggregate.
    epoch_weights: Option<Vec<f64>>,
    state: TrainingState,
}

/// Observes a training. An error that it returns ends the training.
pub trait Observer<E> {
    /// Called after each step, with its losses; `last` says that it is the last of its epoch.
    ///
    /// # Errors
    /// An error of the observer.
    fn step(&mut self, state: &TrainingState, losses: LossValues, last: bool) -> Result<(), E>;

    /// Called after each epoch, with its learning rate, its mean losses and its duration in seconds.
    ///
    /// # Errors
    /// An error of the observer.
    fn epoch(
        &mut self,
        state: &TrainingState,
        lr: f64,
        losses: LossValues,
        seconds: f64,
    ) -> Result<(), E>;
}

/// A training that cannot be started, or a step that failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainingError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The class names are invalid.
    #[error(transparent)]
    Names(#[from] ClassTextError),
    /// The initial parameters are invalid.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// A learned value is infinite or not a number.
    #[error(
        "a learned value became infinite or NaN in epoch {epoch}: the learning rate {lr} is too high"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The learning rate of that epoch.
        lr: f64,
    },
    /// The loss is infinite or not a number.
    #[error(
        "the loss became {loss} in epoch {epoch}: the learning rate {lr} may be too high, or the \
         weights or images contain values that are not finite"
    )]
    NotFinite {
        /// The loss.
        loss: f32,
        /// The epoch, from 1.
        epoch: usize,
        /// The learning rate of that epoch.
        lr: f64,
    },
}

/// The losses of a batch and the gradients of the parameters, before the optimiser's step.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// The losses.
    pub losses: LossValues,
    /// Outputs of the prompted towers.
    pub student: Outputs,
    /// Outputs of the frozen towers, if the losses compare with them.
    pub teacher: Option<Outputs>,
    /// Gradient of each parameter, in the order of [`Parameters::iter`]; without weight decay.
    pub gradients: Vec<Vec<f32>>,
    /// With [`Guidance::GradientProjection`], the gradients of the cross-entropy and of the distance to
    /// the frozen CLIP, of which the others are made.
    pub unprojected: Option<[Vec<Vec<f32>>; 2]>,
}

/// The gradient of a loss with respect to each parameter.
fn backward(loss: &Tensor<1>, leaves: &Leaves) -> Vec<Vec<f32>> {
    let mut tape = loss.backward();
    let gradients = leaves.flat().map(|leaf| match leaf.grad_remove(&mut tape) {
        Some(gradient) => values(gradient),
        // The loss does not depend on it, so it is not on the tape.
        None => vec![0.0; leaf.dims()[0]],
    });
    gradients.collect()
}

impl TrainingState {
    /// The state before the first epoch.
    pub fn of(parameters: Parameters) -> Self {
        Self {
            epoch: 0,
            step: 0,
            losses: LossValues::default(),
            parameters,
            velocity: BTreeMap::new(),
            aggregate: Aggregate::default(),
        }
    }
}

impl<'a> Training<'a> {
    /// Trains until the last epoch.
    ///
    /// # Errors
    /// [`TrainingError::NotFinite`], [`TrainingError::Diverged`], an image that cannot be loaded, or an error of the observer.
    pub fn run<E: From<TrainingError> + From<DataError>>(
        &mut self,
        loader: &TrainLoader,
        observer: &mut dyn Observer<E>,
    ) -> Result<(), E> {
        while self.state.epoch < self.config.epochs {
            let began = Instant::now();
            let lr = self.learning_rate();
            let epoch = self.state.epoch as u64 + 1;
            for batch in loader.epoch_after(epoch, self.state.step) {
                let batch = batch?;
                let losses = self.step(batch.images, &batch.labels)?;
                self.state.losses.add(&losses);
                self.state.step += 1;
                let last = self.state.step == loader.batches();
                observer.step(&self.state, losses, last)?;
            }
            let mean = self.state.losses.over(self.state.step);
            self.end_epoch()?;
            let seconds = began.elapsed().as_secs_f64();
            observer.epoch(&self.state, lr, mean, seconds)?;
        }
        Ok(())
    }

    /// One step: the gradients of a batch, then SGD.
    ///
    /// # Errors
    /// [`TrainingError::NotFinite`]; the parameters are then unchanged.
    pub fn step(
        &mut self,
        images: Vec<f32>,
        labels: &[usize],
    ) -> Result<LossValues, TrainingError> {
        let gradients = self.gradients(images, labels);
        let losses = gradients.losses;
        let finite = gradients.gradients.iter().flatten().all(|g| g.is_finite());
        if !losses.total.is_finite() || !finite {
            return Err(TrainingError::NotFinite {
                loss: losses.total,
                epoch: self.state.epoch + 1,
                lr: self.learning_rate(),
            });
        }
        self.apply(&gradients);
        Ok(losses)
    }

    /// Losses and gradients of a batch. `images`: `[labels.len(), 3, resolution, resolution]`,
    /// normalised, row-major; `labels` below the number of classes.
    pub fn gradients(&self, images: Vec<f32>, labels: &[usize]) -> Gradients {
        let vision = self.clip.vision();
        // The part of the first layer that does not depend on prompts, shared by both passes.
        let stem = vision.stem(vision.images(images, labels.len()));

        // Forward.
        let regularised = self.config.regularisation.is_some();
        let frozen = self.teacher_text.clone().filter(|_| regularised);
        let teacher = frozen.map(|text| {
            let image = unit(vision.features(&stem, &[]));
            outputs(self.clip, text, image)
        });
        let leaves = self.leaves();
        let prompts = self.model.prompts(&leaves);
        let image = prompted_image(self.clip, &prompts, &stem); // [batch, embed_dim]
        let student = self.student(&leaves, &prompts, image);

        // Losses.
        let agreement = teacher.as_ref().zip(self.config.regularisation.as_ref());
        let mut losses = Losses::new(&student, labels, agreement);
        if let (Some(Guidance::Knowledge { weight }), Some(frozen)) =
            (self.config.guidance, &self.teacher_text)
        {
            losses = losses.with_knowledge(&student.text, frozen, weight);
        }
        let loss_values = losses.values();

        // Backward.
        let found = Gradients {
            losses: loss_values,
            gradients: backward(&losses.total, &leaves),
            student: student.inner(),
            teacher,
            unprojected: None,
        };
        match self.config.guidance {
            Some(Guidance::GradientProjection {
                lambda,
                temperature,
            }) => self.projected(found, lambda, temperature),
            _ => found,
        }
    }

    fn leaves(&self) -> Leaves {
        self.state.parameters.leaves(self.clip.device(), true)
    }

    fn student(&self, leaves: &Leaves, prompts: &TowerPrompts, image: Tensor<2>) -> Outputs {
        prompted(self.clip, &*self.model, leaves, &self.texts, prompts, image)
    }

    /// The gradients of the cross-entropy, projected where they oppose those of the distance to the
    /// frozen CLIP. Those are found by a forward pass of their own, of the text tower alone: the method
    /// has no visual prompts.
    fn projected(&self, found: Gradients, lambda: f64, temperature: f64) -> Gradients {
        let Some(frozen) = &self.teacher_text else {
            return found;
        };
        let image = &found.student.image;
        let leaves = self.leaves();
        let student = self.student(&leaves, &self.model.prompts(&leaves), image.clone());
        let teacher = outputs(self.clip, frozen.clone(), image.clone());
        let distance = teacher_cross_entropy(&student.logits, &teacher.logits, temperature);
        let guide = backward(&distance, &leaves);
        let gradients = found.gradients.iter().zip(&guide);
        let gradients = gradients.map(|(own, guide)| project(own, guide, lambda));
        Gradients {
            losses: LossValues {
                teacher_ce: values(distance.inner())[0],
                ..found.losses
            },
            gradients: gradients.collect(),
            teacher: Some(teacher),
            unprojected: Some([found.gradients, guide]),
            ..found
        }
    }

    /// Applies one step of SGD with these gradients.
    pub fn apply(&mut self, gradients: &Gradients) {
        let lr = self.learning_rate();
        let TrainingState {
            parameters,
            velocity,
            ..
        } = &mut self.state;
        for (parameter, gradient) in parameters.iter_mut().zip(&gradients.gradients) {
            let velocity = velocity.entry(parameter.name.clone()).or_default();
            let values = &mut parameter.values;
            sgd_step(&self.config.optim, lr, values, gradient, velocity);
        }
    }

    /// Ends an epoch: adds the current parameters to the aggregate.
    ///
    /// # Errors
    /// [`TrainingError::Diverged`]: neither a state nor an adapter may be saved of such values.
    pub fn end_epoch(&mut self) -> Result<(), TrainingError> {
        let lr = self.learning_rate();
        let weights = self.epoch_weights.as_ref();
        if let Some(weight) = weights.and_then(|w| w.get(self.state.epoch)) {
            self.state.aggregate.add(&self.state.parameters, *weight);
        }
        self.state.epoch += 1;
        self.state.step = 0;
        self.state.losses = LossValues::default();
        let all = [
            self.state.parameters.check_finite(),
            self.learned().check_finite(),
        ];
        // A resumed run would be refused with them.
        let mut momentum = self.state.velocity.values().flatten();
        let is_finite = all.iter().all(Result::is_ok) && momentum.all(|v| v.is_finite());
        match is_finite {
            true => Ok(()),
            false => Err(TrainingError::Diverged {
                epoch: self.state.epoch,
                lr,
            }),
        }
    }

    /// The learned parameters: the aggregate over the epochs, or without aggregation the current
    /// parameters.
    pub fn learned(&self) -> Parameters {
        match &self.epoch_weights {
            Some(_) => self.state.aggregate.finish(&self.state.parameters),
            None => self.state.parameters.clone(),
        }
    }

    /// Learning rate of the current epoch.
    pub fn learning_rate(&self) -> f64 {
        learning_rate(&self.config.optim, self.config.epochs, self.state.epoch)
    }

    /// The configuration.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The current state.
    pub fn state(&self) -> &TrainingState {
        &self.state
    }

    /// A training from the initial parameters of the method.
    ///
    /// # Errors
    /// [`TrainingError`].
    pub fn new(
        clip: &'a ClipModel,
        config: TrainConfig,
        names: &[String],
    ) -> Result<Self, TrainingError> {
        Self::begin(clip, config, names, None, &mut |_, _| ())
    }

    /// A training from the initial parameters of the method, or from a saved state. `progress`
    /// receives the number of templates' texts that the frozen CLIP has encoded, and of all.
    ///
    /// # Errors
    /// [`TrainingError`].
    pub fn begin(
        clip: &'a ClipModel,
        config: TrainConfig,
        names: &[String],
        state: Option<TrainingState>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, TrainingError> {
        config.check_for(clip.config())?;
        let model = prompt_model(&config)?;
        let state = match state {
            Some(state) => state,
            None => TrainingState::of(model.initial(clip, names.len(), config.seed)?),
        };
        Self::assemble(clip, config, model, names, state, progress)
    }

    /// A training from given parameters.
    ///
    /// # Errors
    /// [`TrainingError`].
    pub fn from_parameters(
        clip: &'a ClipModel,
        config: TrainConfig,
        names: &[String],
        parameters: Parameters,
    ) -> Result<Self, TrainingError> {
        Self::from_state(clip, config, names, TrainingState::of(parameters))
    }

    /// A training that continues from a saved state.
    ///
    /// # Errors
    /// [`TrainingError`].
    pub fn from_state(
        clip: &'a ClipModel,
        config: TrainConfig,
        names: &[String],
        state: TrainingState,
    ) -> Result<Self, TrainingError> {
        Self::begin(clip, config, names, Some(state), &mut |_, _| ())
    }

    /// A training that continues from a state, with a prompt model that need not belong to a
    /// registered method.
    ///
    /// # Errors
    /// [`TrainingError`].
    pub fn with_model(
        clip: &'a ClipModel,
        config: TrainConfig,
        model: Box<dyn PromptModel>,
        names: &[String],
        state: TrainingState,
    ) -> Result<Self, TrainingError> {
        Self::assemble(clip, config, model, names, state, &mut |_, _| ())
    }

    fn assemble(
        clip: &'a ClipModel,
        config: TrainConfig,
        model: Box<dyn PromptModel>,
        names: &[String],
        state: TrainingState,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, TrainingError> {
        state
            .parameters
            .check(&model.shapes(clip, names.len()), &config.method)?;
        let texts = model.input(clip, names)?;
        let teacher_text = match config.has_teacher_text() {
            true => {
                let templates = &config.templates;
                let features = teacher_text_features(clip, names, templates, progress)?;
                Some(unit(features))
            }
            false => None,
        };
        let aggregation = config.aggregation.as_ref();
        let epoch_weights = aggregation.map(|a| gaussian_weights(config.epochs, a));
        Ok(Self {
            clip,
            config,
            model,
            texts,
            teacher_text,
            epoch_weights,
            state,
        })
    }
}

/// Checks that classes can be told apart with the prompts that a configuration learns: for classes
/// that are measured after a training and are not part of it.
///
/// # Errors
/// [`TrainingError`].
pub fn check_names(
    clip: &ClipModel,
    config: &TrainConfig,
    names: &[String],
) -> Result<(), TrainingError> {
    let model = prompt_model(config)?;
    model.input(clip, names)?;
    Ok(())
}

/// Checks, before any work, that the configuration and the class names fit this CLIP.
///
/// # Errors
/// [`TrainingError`].
pub fn check(
    clip: &ClipModel,
    config: &TrainConfig,
    names: &[String],
) -> Result<(), TrainingError> {
    config.check_for(clip.config())?;
    let model = prompt_model(config)?;
    let prefix = model.prompt_prefix();
    clip.tokenizer()
        .tokenize(&prefix, clip.text().context_length(), false)
        .map_err(ConfigError::Words)?;
    model.input(clip, names)?;
    model.initial(clip, names.len(), config.seed)?;
    if config.has_teacher_text() {
        for template in &config.templates {
            tokens(clip, template, names)?;
        }
    }
    Ok(())
}
