//! What the model computes for a batch of requests.

use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use promptsrc::calibration::{CalibrationError, Wanted};
use promptsrc::{Classifier, ClassifierError, Image, Prediction};
use promptsrc_clip::values;

use crate::bounds::Bounds;
use crate::class_cache::ClassCache;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::queue::{Answer, Question, Work};
use crate::served::Served;
use crate::worker::Engine;

/// The model with the classifiers of the last lists of class names.
pub(crate) struct ServedEngine<'s> {
    served: &'s Served,
    /// That of the model's own names.
    own: Classifier<'s>,
    others: ClassCache<Classifier<'s>>,
    /// Images of a pass through the image tower.
    pass: usize,
    metrics: Arc<Metrics>,
}

/// The image towers that a batch may need.
#[derive(Clone, Copy, PartialEq)]
enum Tower {
    /// With the prompts of the model.
    Model,
    /// As CLIP has it.
    Frozen,
}

impl<'s> ServedEngine<'s> {
    /// # Errors
    /// [`ClassifierError`] if there is no classifier for the model's own names.
    pub fn new(
        served: &'s Served,
        bounds: &Bounds,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ClassifierError> {
        Ok(Self {
            own: served.classifier(&served.names)?,
            served,
            others: ClassCache::new(bounds.class_cache),
            pass: served
                .clip
                .vision()
                .images_at_a_time()
                .min(bounds.max_batch)
                .max(1),
            metrics: metrics.clone(),
        })
    }

    /// The features of images, each a row.
    fn features(&self, tower: Tower, images: &[&Image]) -> Vec<Vec<f32>> {
        let clip = &self.served.clip;
        let width = clip.config().embed_dim.max(1);
        let preprocess = clip.preprocess();
        let mut rows = Vec::with_capacity(images.len());
        for images in images.chunks(self.pass) {
            let mut batch = Vec::new();
            for image in images {
                preprocess.normalise_onto(image, &mut batch);
            }
            let n = images.len();
            self.metrics.batch_images.observe(n as f64);
            let features = match tower {
                Tower::Model => self.own.image_features(batch, n),
                Tower::Frozen => values(clip.image_features(clip.vision().images(batch, n))),
            };
            rows.extend(features.chunks(width).map(<[f32]>::to_vec));
        }
        rows
    }

    /// The answer for a request whose images have these features.
    fn answer(&mut self, work: &Work, features: Vec<Vec<f32>>) -> Result<Answer, Problem> {
        match &work.question {
            Question::Predict { names, wanted } => {
                let served = self.served;
                let classifier = self.classifier(names.as_ref())?;
                let classes = classifier.names().len().max(1);
                let logits = classifier.logits_of_features(features.concat());
                let rows = logits.chunks(classes);
                let prediction = |row: &[f32]| classifier.prediction(PathBuf::new(), row);
                let predictions: Result<Vec<_>, _> = rows.map(prediction).collect();
                let predictions = predictions.map_err(|_| not_finite())?;
                let calibration = served.calibration_for(classifier.names());
                let calibrated = |prediction: Prediction| {
                    let answer = match calibration {
                        Some(calibration) => Some(calibration.answer(&prediction.logits, wanted)),
                        None if *wanted == Wanted::default() => None,
                        // What cannot be promised is refused before.
                        None => return Err(Problem::internal()),
                    };
                    let answer = answer.transpose().map_err(|error| of_calibration(&error))?;
                    Ok((prediction, answer))
                };
                let predictions = predictions.into_iter().map(calibrated);
                let predictions = predictions.collect::<Result<Vec<_>, Problem>>()?;
                match predictions.len() == work.images.len() {
                    true => Ok(Answer::Predictions(predictions)),
                    false => Err(Problem::internal()),
                }
            }
            Question::Embed { texts } => {
                let texts = self.text_features(texts)?;
                let all = features.iter().chain(&texts);
                match all.flatten().all(|value| value.is_finite()) {
                    true => Ok(Answer::Features(features, texts)),
                    false => Err(not_finite()),
                }
            }
        }
    }

    /// The classifier for a list of names.
    fn classifier(&mut self, names: Option<&Arc<[String]>>) -> Result<&Classifier<'s>, Problem> {
        let Some(names) = names.filter(|names| ***names != *self.own.names()) else {
            return Ok(&self.own);
        };
        let known = self.others.get(names).is_some();
        self.metrics.class_lists(known);
        if !known {
            let classifier = self.served.classifier(names).map_err(of_names)?;
            self.others.insert(names.clone(), classifier);
            self.metrics.cached_names.set(self.others.names() as i64);
        }
        self.others.get(names).ok_or_else(Problem::internal)
    }

    /// The features of texts, each a row.
    fn text_features(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Problem> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let clip = &self.served.clip;
        let length = clip.text().context_length();
        let tokens = texts.iter();
        let tokens = tokens.map(|text| clip.tokenizer().tokenize(text, length, false));
        let tokens: Result<Vec<_>, _> = tokens.collect();
        let tokens = tokens.map_err(|error| Problem::invalid(format!("texts: {error}")))?;
        let features = clip.text().encode(&tokens);
        let features = features.map_err(|error| Problem::invalid(format!("texts: {error}")))?;
        let width = clip.config().embed_dim.max(1);
        let rows = values(features);
        Ok(rows.chunks(width).map(<[f32]>::to_vec).collect())
    }
}

impl Engine for ServedEngine<'_> {
    fn answer(&mut self, batch: &[&Work]) -> Vec<Result<Answer, Problem>> {
        let mut features: Vec<Vec<Vec<f32>>> = batch.iter().map(|_| Vec::new()).collect();
        for tower in [Tower::Model, Tower::Frozen] {
            // The images of all requests go through the tower together.
            let of_tower = |work: &Work| match work.question {
                Question::Predict { .. } => tower == Tower::Model,
                Question::Embed { .. } => tower == Tower::Frozen,
            };
            let works = batch.iter().filter(|work| of_tower(work));
            let images: Vec<&Image> = works.flat_map(|work| &work.images).collect();
            let mut rows = self.features(tower, &images).into_iter();
            for (work, features) in batch.iter().zip(&mut features) {
                if of_tower(work) {
                    features.extend(rows.by_ref().take(work.images.len()));
                }
            }
        }
        let works = batch.iter().zip(features);
        works
            .map(|(work, features)| ServedEngine::answer(self, work, features))
            .collect()
    }
}

/// Names that the model does not take. None of these messages names a file.
fn of_names(error: ClassifierError) -> Problem {
    match error {
        ClassifierError::Names(_) | ClassifierError::OtherClasses { .. } => {
            Problem::invalid(format!("names: {error}"))
        }
        _ => Problem::internal(),
    }
}

/// What a calibration does not have. None of the messages of an answer names a file.
pub(crate) fn of_calibration(error: &CalibrationError) -> Problem {
    match error {
        CalibrationError::NoSets { .. }
        | CalibrationError::NoThreshold { .. }
        | CalibrationError::Numbers(_) => Problem::invalid(format!("calibration: {error}")),
        _ => Problem::internal(),
    }
}

fn not_finite() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "not_finite",
        "the model computes numbers that are infinite or none: its weights or prompts are damaged",
    )
}
