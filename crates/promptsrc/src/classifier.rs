//! Classifiers for any class names: frozen CLIP, or CLIP with learned prompts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use promptsrc_clip::{ClipModel, TextInput, unit, values};
use promptsrc_datasets::{DataError, Drawing, Item, unreadable_warning};
use promptsrc_heads::HeadError;
use promptsrc_image::{Image, ImageError};

use crate::class_texts::{ClassTextError, zero_shot_weights};
use crate::clip::Clip;
use crate::config::{ConfigError, FeatureConfig, TrainConfig};
use crate::feature_cache::FeatureCache;
use crate::forward::{conditioned_text, image_by_image};
use crate::head::Head;
use crate::image_batches::ImageBatches;
use crate::methods::prompt_model;
use crate::metrics::{BINS, Evaluation, EvaluationBuilder, MetricsError, ReliabilityBin};
use crate::parameters::{Leaves, ParameterError, Parameters};
use crate::prompt_model::{PromptModel, TowerPrompts};
use crate::stop;

/// Classifies images among a list of class names. The class features are computed once.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use promptsrc::{Adapter, Clip};
///
/// let clip = Clip::open("ViT-B/16")?;
/// let adapter = Adapter::load("run/adapter.safetensors".as_ref())?;
/// let classifier = adapter.classifier(&clip, &["cat", "dog"])?;
/// for prediction in classifier.predict(&["photo.jpg"])? {
///     println!("{:?}", prediction.top(1));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Classifier<'a> {
    clip: &'a ClipModel,
    names: Vec<String>,
    text: ClassText,
    prompts: TowerPrompts,
    /// Features of the frozen image tower that are known.
    cache: Option<&'a FeatureCache>,
}

/// Text features that images are compared with.
#[derive(Debug)]
pub(crate) enum ClassText {
    /// Unit rows `[classes, embed_dim]`.
    Features(Box<Tensor<2>>),
    /// Unit rows that depend on the image.
    Conditioned(Box<Conditioned>),
    /// A head on the frozen image features, and the unit text features that it needs.
    Head(Box<Head>, Vec<f32>),
}

/// Text prompts that depend on the image.
#[derive(Debug)]
pub(crate) struct Conditioned {
    model: Box<dyn PromptModel>,
    leaves: Leaves,
    texts: TextInput,
}

/// The prediction for an image, or the file that cannot be read, and why.
pub type PredictionResult = Result<Prediction, (PathBuf, ImageError)>;

/// Receives the place of an image in a list and its logits.
pub type EachLogits<'o> = dyn FnMut(usize, &[f32]) -> Result<(), EvaluateError> + 'o;

/// A classifier that cannot be created.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ClassifierError {
    /// A class name cannot be embedded.
    #[error(transparent)]
    Names(#[from] ClassTextError),
    /// The parameters do not fit this CLIP.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tensors of a head are not those of its method.
    #[error("the adapter's head: {0}")]
    Head(#[from] HeadError),
    /// A head of other features or of another number of classes.
    #[error(
        "the adapter's head takes {} numbers for {} classes, but {} numbers and {} classes are \
         expected on this CLIP: it was learned for another CLIP, or the file is damaged",
        found.0, found.1, expected.0, expected.1
    )]
    OtherHead {
        /// Numbers in a feature, and classes.
        found: (usize, usize),
        /// Those that are expected.
        expected: (usize, usize),
    },
    /// Names that the adapter was not trained on, although it classifies among its own classes only.
    #[error(
        "{}: the adapter of the method {method} was not trained on {}, and it classifies among the \
         classes of its training only: {}",
        unknown.join(", "),
        if unknown.len() == 1 { "this class" } else { "these classes" },
        shortened(known)
    )]
    OtherClasses {
        /// The method.
        method: String,
        /// Names that it does not know.
        unknown: Vec<String>,
        /// Names that it was trained on.
        known: Vec<String>,
    },
    /// The CLIP has other settings or another preprocessing than that of the training.
    #[error(
        "trained on a CLIP with other settings ({differences}): name the CLIP with the configuration \
         beside it, or, for weights without one, give --activation, --heads and --image-size"
    )]
    OtherSettings {
        /// What differs.
        differences: String,
    },
}

/// Images that cannot be classified, or an evaluation that failed.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// Images cannot be loaded.
    #[error(transparent)]
    Load(#[from] DataError),
    /// There are no images, or logits are not finite.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// It was asked to [stop](crate::stop).
    #[error("stopped after {done} of {images} images")]
    Stopped {
        /// Images that have been classified.
        done: usize,
        /// All.
        images: usize,
    },
}

/// An evaluation on the images that can be decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadableEvaluation {
    /// The metrics.
    pub evaluation: Evaluation,
    /// Places of the images that cannot be decoded and were left out.
    pub unreadable: BTreeSet<usize>,
    /// A warning for the user that names them; `None` if there are none.
    pub warning: Option<String>,
    /// The bins of the calibration error.
    pub reliability: [ReliabilityBin; BINS],
}

/// The prediction for an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// File of the image; for an image in memory, its index in the list.
    pub path: PathBuf,
    /// Probability of each class, in the order of [`Classifier::names`].
    pub probabilities: Vec<f32>,
    /// Logit of each class, which a [calibration](crate::calibration) takes.
    pub logits: Vec<f32>,
    /// Class names by decreasing logit; of equal ones the earlier comes first.
    ranking: Vec<(String, f32)>,
    /// The classes in the same order.
    order: Vec<usize>,
}

impl Prediction {
    /// The `k` most probable names with their probabilities, the best first.
    pub fn top(&self, k: usize) -> &[(String, f32)] {
        self.ranking.get(..k).unwrap_or(&self.ranking)
    }

    /// The most probable name.
    pub fn name(&self) -> &str {
        self.ranking.first().map_or("", |(name, _)| name)
    }

    /// The indices of the classes by decreasing probability, in the order of [`top`](Self::top).
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    fn new(path: PathBuf, logits: &[f32], names: &[String]) -> Self {
        let mut probabilities = logits.to_vec();
        softmax(&mut probabilities);
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        // Where probabilities vanish, logits still differ.
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        let ranking = order.iter().map(|i| (names[*i].clone(), probabilities[*i]));
        Self {
            path,
            ranking: ranking.collect(),
            order,
            probabilities,
            logits: logits.to_vec(),
        }
    }
}

impl<'a> Classifier<'a> {
    /// CLIP with learned parameters and the configuration they were learned with, for any class names;
    /// parameters that each class has of its own are for these names, in this order.
    ///
    /// # Errors
    /// [`ClassifierError`] if the parameters do not fit the configuration and the CLIP, or a name
    /// cannot be embedded.
    pub fn prompted(
        clip: &'a ClipModel,
        config: &TrainConfig,
        parameters: &Parameters,
        names: &[impl AsRef<str>],
    ) -> Result<Self, ClassifierError> {
        config.check()?;
        let model = prompt_model(config)?;
        parameters.check(&model.shapes(clip, names.len()), &config.method)?;
        Self::with_model(clip, model, parameters, names)
    }

    /// CLIP with the prompts of a prompt model, which need not belong to a registered method. The
    /// parameters must fit it.
    ///
    /// # Errors
    /// [`ClassifierError::Names`] if a name cannot be embedded.
    pub fn with_model(
        clip: &'a ClipModel,
        model: Box<dyn PromptModel>,
        parameters: &Parameters,
        names: &[impl AsRef<str>],
    ) -> Result<Self, ClassifierError> {
        let names = owned(names);
        let texts = model.input(clip, &names)?;
        let leaves = parameters.leaves(clip.device(), false);
        let prompts = model.prompts(&leaves);
        let text = match model.is_conditioned() {
            true => ClassText::Conditioned(Box::new(Conditioned {
                model,
                leaves,
                texts,
            })),
            false => {
                ClassText::Features(Box::new(unit(clip.text().features(&texts, &prompts.text))))
            }
        };
        Ok(Self {
            clip,
            names,
            text,
            prompts,
            cache: None,
        })
    }

    /// Frozen CLIP; each class is the normalised mean of its unit features over the templates.
    ///
    /// # Errors
    /// [`ClassifierError::Names`] if a text cannot be embedded.
    pub fn zero_shot(
        clip: &'a ClipModel,
        names: &[impl AsRef<str>],
        templates: &[impl AsRef<str>],
    ) -> Result<Self, ClassifierError> {
        Self::zero_shot_with(clip, names, templates, &mut |_, _| ())
    }

    /// As [`zero_shot`](Self::zero_shot); `progress` receives the number of finished texts and of all.
    ///
    /// # Errors
    /// As [`zero_shot`](Self::zero_shot).
    pub fn zero_shot_with(
        clip: &'a ClipModel,
        names: &[impl AsRef<str>],
        templates: &[impl AsRef<str>],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, ClassifierError> {
        let names = owned(names);
        let text = zero_shot_weights(clip, &names, &owned(templates), progress)?;
        Ok(Self {
            clip,
            names,
            text: ClassText::Features(Box::new(text)),
            prompts: TowerPrompts::default(),
            cache: None,
        })
    }

    /// A head for these names, on the features of the frozen image tower.
    pub(crate) fn with_head(
        clip: &'a ClipModel,
        config: &FeatureConfig,
        head: Head,
        names: &[impl AsRef<str>],
    ) -> Result<Self, ClassifierError> {
        let names = owned(names);
        let text = head.text(clip, config, &names)?;
        Ok(Self {
            clip,
            names,
            text: ClassText::Head(Box::new(head), text),
            prompts: TowerPrompts::default(),
            cache: None,
        })
    }

    /// As [`cached`](Self::cached), if it is a head, whose training has computed such features.
    pub fn cached_head(self, clip: &'a Clip) -> Self {
        match self.text {
            ClassText::Head(..) => self.cached(clip),
            _ => self,
        }
    }

    /// Uses the image features that a CLIP has computed before, and keeps new ones. Only frozen image
    /// features are kept: classifiers with visual prompts have none. The results are the same.
    pub fn cached(mut self, clip: &'a Clip) -> Self {
        self.cache = self.prompts.vision.is_empty().then(|| clip.feature_cache());
        self
    }

    /// The class names, in the order of the logits.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The text features that images are compared with.
    pub(crate) fn text(&self) -> &ClassText {
        &self.text
    }

    /// The prompts of the image tower by layer; empty where it has none.
    pub(crate) fn vision_prompts(&self) -> &[Tensor<2>] {
        &self.prompts.vision
    }

    /// CLIP's scale, by which cosines became logits.
    pub fn logit_scale(&self) -> f32 {
        self.clip.logit_scale()
    }

    /// Logits of images, row-major `[batch, classes]`. `images`: `batch` normalised images
    /// `[3, resolution, resolution]`, one after another. No image's numbers depend on the other images.
    pub fn logits(&self, images: Vec<f32>, batch: usize) -> Vec<f32> {
        self.logits_of_tensor(self.features_tensor(images, batch))
    }

    /// Image features, row-major `[batch, embed_dim]`, of the tower with the classifier's prompts, not of
    /// unit length; `images` as for [`logits`](Self::logits). They do not depend on the class names:
    /// classifiers of one adapter have the same.
    pub fn image_features(&self, images: Vec<f32>, batch: usize) -> Vec<f32> {
        values(self.features_tensor(images, batch))
    }

    /// Logits, row-major `[rows, classes]`, of [`image_features`](Self::image_features): the same numbers as
    /// [`logits`](Self::logits) gives for the images. What is not a whole number of rows is left out.
    pub fn logits_of_features(&self, features: Vec<f32>) -> Vec<f32> {
        let width = self.clip.config().embed_dim.max(1);
        let rows = features.len() / width;
        if rows == 0 {
            return Vec::new();
        }
        let mut features = features;
        features.truncate(rows * width);
        let features = TensorData::new(features, [rows, width]);
        self.logits_of_tensor(Tensor::from_data(features, self.clip.device()))
    }

    /// The prediction of logits of one image, which `path` names.
    ///
    /// # Errors
    /// [`MetricsError::Length`] unless there is one logit for each class, [`MetricsError::NotFinite`] if one
    /// of them is no number.
    pub fn prediction(&self, path: PathBuf, logits: &[f32]) -> Result<Prediction, MetricsError> {
        if logits.len() != self.names.len() {
            return Err(MetricsError::Length {
                item: 1,
                found: logits.len(),
                expected: self.names.len(),
            });
        }
        match logits.iter().zip(&self.names).find(|(v, _)| !v.is_finite()) {
            Some((value, name)) => Err(MetricsError::NotFinite {
                item: 1,
                class: name.clone(),
                value: value.to_string(),
            }),
            None => Ok(Prediction::new(path, logits, &self.names)),
        }
    }

    /// Logits `[batch, classes]` of features `[batch, embed_dim]`.
    fn logits_of_tensor(&self, features: Tensor<2>) -> Vec<f32> {
        let batch = features.dims()[0];
        // [batch, classes]
        values(match &self.text {
            ClassText::Features(text) => {
                let text = (**text).clone();
                self.clip.scaled_cosine_of_each(unit(features), text)
            }
            ClassText::Conditioned(of) => {
                let image = unit(features);
                let text = conditioned_text(self.clip, &*of.model, &of.leaves, &of.texts, &image);
                image_by_image(self.clip, &text.unwrap_or_default(), &image)
            }
            // Features that are not finite give logits that are not, which is an error elsewhere.
            ClassText::Head(head, text) => match head.logits_of_each(&values(features), text) {
                Ok(logits) => return logits,
                Err(_) => return vec![f32::NAN; batch * self.names.len()],
            },
        })
    }

    /// Image features `[batch, embed_dim]` of the tower with the classifier's prompts, not of unit length.
    fn features_tensor(&self, images: Vec<f32>, batch: usize) -> Tensor<2> {
        // What cannot be saved is not an error of a classification: it is only computed again.
        if let Some(cache) = self.cache
            && let Ok(rows) = cache.features(self.clip, &images, batch)
        {
            let shape = [batch, self.clip.config().embed_dim];
            return Tensor::from_data(TensorData::new(rows, shape), self.clip.device());
        }
        let vision = self.clip.vision();
        let stem = vision.stem(vision.images(images, batch));
        vision.features_of_each(&stem, &self.prompts.vision)
    }

    /// Probabilities of images, row-major `[batch, classes]`; as [`logits`](Self::logits).
    pub fn probabilities(&self, images: Vec<f32>, batch: usize) -> Vec<f32> {
        let mut rows = self.logits(images, batch);
        rows.chunks_exact_mut(self.names.len()).for_each(softmax);
        rows
    }

    /// Classifies image files, in their order.
    ///
    /// # Errors
    /// [`EvaluateError::Load`] names the files that cannot be read. [`predict_each`](Self::predict_each)
    /// continues after such files.
    pub fn predict(&self, paths: &[impl AsRef<Path>]) -> Result<Vec<Prediction>, EvaluateError> {
        let items = paths.iter().map(|path| Item::new(path.as_ref(), 0));
        self.predict_items(items.collect())
    }

    /// Classifies images in memory, in their order.
    ///
    /// # Errors
    /// [`EvaluateError::Load`] if an image cannot be preprocessed.
    pub fn predict_images(&self, images: &[Image]) -> Result<Vec<Prediction>, EvaluateError> {
        let item = |(place, image): (usize, &Image)| {
            let image = image.clone();
            Item::drawn(place.to_string(), 0, Drawing::new(move || image.clone()))
        };
        self.predict_items(images.iter().enumerate().map(item).collect())
    }

    fn predict_items(&self, items: Vec<Item>) -> Result<Vec<Prediction>, EvaluateError> {
        let mut predictions = Vec::with_capacity(items.len());
        let mut failures = Vec::new();
        self.predict_each(items, 0, &mut |result| match result {
            Ok(prediction) => predictions.push(prediction),
            Err((_, error)) => failures.push(error),
        })?;
        match failures.is_empty() {
            true => Ok(predictions),
            false => Err(DataError::Images(failures).into()),
        }
    }

    /// Classifies images batch by batch and passes on each result as soon as it is known, in order: a
    /// prediction, or a file that cannot be read and why. `threads` decode ahead (0: one per core); the
    /// results do not depend on them.
    ///
    /// # Errors
    /// [`EvaluateError::Load`] if threads cannot be started.
    pub fn predict_each(
        &self,
        items: Vec<Item>,
        threads: usize,
        each: &mut dyn FnMut(PredictionResult),
    ) -> Result<(), EvaluateError> {
        let (mut done, images) = (0, items.len());
        let mut batches = ImageBatches::new(self.clip, items, threads)?;
        while let Some((batch, failures)) = batches.next_with_failures() {
            if stop::is_requested() {
                return Err(EvaluateError::Stopped { done, images });
            }
            done += batch.n + failures.len();
            let rows = match batch.n {
                0 => Vec::new(),
                n => self.logits(batch.images, n),
            };
            if let Some(place) = rows.iter().position(|value| !value.is_finite()) {
                let classes = self.names.len();
                let item = batch.indices.get(place / classes).map_or(0, |index| *index);
                return Err(MetricsError::NotFinite {
                    item: item as u64 + 1,
                    class: self.names.get(place % classes).cloned().unwrap_or_default(),
                    value: "infinite or NaN".to_string(),
                }
                .into());
            }
            let mut results: Vec<(usize, PredictionResult)> = Vec::new();
            let rows = rows.chunks_exact(self.names.len());
            for (index, row) in batch.indices.iter().zip(rows) {
                let path = batches.path(*index);
                results.push((*index, Ok(Prediction::new(path, row, &self.names))));
            }
            for (index, error) in failures {
                results.push((index, Err((batches.path(index), error))));
            }
            results.sort_by_key(|(index, _)| *index);
            results.into_iter().for_each(|(_, result)| each(result));
        }
        Ok(())
    }

    /// Evaluates on labelled images, whose labels are indices into [`names`](Self::names). `threads`
    /// decode ahead (0: one per core); `progress` receives the number of finished images after each
    /// batch.
    ///
    /// # Errors
    /// [`EvaluateError`]; [`DataError::Undecodable`] names all images that cannot be decoded.
    pub fn evaluate(
        &self,
        items: &[Item],
        threads: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Evaluation, EvaluateError> {
        let nothing = &mut |_: &Item, _, _| ();
        let found = self.evaluate_each(items, threads, false, progress, nothing)?;
        Ok(found.evaluation)
    }

    /// As [`evaluate`](Self::evaluate); with `allow_unreadable`, on those of the images that can be
    /// decoded. `each` receives every image in order, its class and the probability of that class.
    ///
    /// # Errors
    /// [`EvaluateError`]. Images that cannot be decoded are [`DataError::Undecodable`] without
    /// `allow_unreadable`, and with it [`DataError::NoneDecodable`] if there are no others.
    pub fn evaluate_each(
        &self,
        items: &[Item],
        threads: usize,
        allow_unreadable: bool,
        progress: &mut dyn FnMut(usize),
        each: &mut dyn FnMut(&Item, usize, f32),
    ) -> Result<ReadableEvaluation, EvaluateError> {
        self.evaluate_rows(
            items,
            threads,
            allow_unreadable,
            progress,
            &mut |place, answer, row| {
                each(&items[place], answer, probability(row, answer));
            },
        )
    }

    /// As [`evaluate_each`](Self::evaluate_each); `each` receives the place of every image in `items`, its class
    /// and its logits.
    ///
    /// # Errors
    /// As [`evaluate_each`](Self::evaluate_each).
    pub fn evaluate_rows(
        &self,
        items: &[Item],
        threads: usize,
        allow_unreadable: bool,
        progress: &mut dyn FnMut(usize),
        each: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<ReadableEvaluation, EvaluateError> {
        let mut builder = EvaluationBuilder::new(self.names.clone());
        let (unreadable, warning) = self.logits_each(
            items,
            threads,
            allow_unreadable,
            progress,
            &mut |place, row| {
                let answer = builder.add(items[place].label, row)?;
                each(place, answer, row);
                Ok(())
            },
        )?;
        Ok(ReadableEvaluation {
            reliability: builder.reliability(),
            evaluation: builder.finish()?,
            unreadable,
            warning,
        })
    }

    /// The logits of images, of whatever classes; `each` receives the place of every image in `items` and its
    /// logits, in order. Returns the places of the images that cannot be decoded, and a warning that names them.
    ///
    /// # Errors
    /// As [`evaluate_each`](Self::evaluate_each), and what `each` returns. Whether the logits are finite is for
    /// `each` to check.
    pub fn logits_each(
        &self,
        items: &[Item],
        threads: usize,
        allow_unreadable: bool,
        progress: &mut dyn FnMut(usize),
        each: &mut EachLogits,
    ) -> Result<(BTreeSet<usize>, Option<String>), EvaluateError> {
        let mut failures = Vec::new();
        let mut done = 0;
        let mut batches = ImageBatches::new(self.clip, items.to_vec(), threads)?;
        while let Some((batch, failed)) = batches.next_with_failures() {
            done += batch.n + failed.len();
            failures.extend(failed);
            // Without the option, the others are decoded only to name all that cannot be.
            if batch.n > 0 && (allow_unreadable || failures.is_empty()) {
                let logits = self.logits(batch.images, batch.n);
                let rows = logits.chunks_exact(self.names.len());
                for (place, row) in batch.indices.iter().zip(rows) {
                    each(*place, row)?;
                }
            }
            progress(done);
            if done < items.len() && stop::is_requested() {
                let images = items.len();
                return Err(EvaluateError::Stopped { done, images });
            }
        }
        let unreadable = failures.iter().map(|(place, _)| *place).collect();
        let errors = failures.into_iter().map(|(_, error)| error).collect();
        let warning = unreadable_warning(errors, items.len(), allow_unreadable)?;
        Ok((unreadable, warning))
    }
}

/// The first names of a list, and how many there are.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len() > SHOWN {
        true => format!("{shown}, ... ({} classes)", names.len()),
        false => shown,
    }
}

/// The probability of a class, from a row of logits.
pub fn probability(logits: &[f32], class: usize) -> f32 {
    probabilities(logits)
        .get(class)
        .copied()
        .unwrap_or_default()
}

/// The probabilities of all classes, from a row of logits.
pub fn probabilities(logits: &[f32]) -> Vec<f32> {
    let mut row = logits.to_vec();
    softmax(&mut row);
    row
}

/// Turns logits into probabilities.
fn softmax(row: &mut [f32]) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|v| f64::from(v - top).exp()).sum();
    for value in row {
        *value = (f64::from(*value - top).exp() / sum) as f32;
    }
}

fn owned(names: &[impl AsRef<str>]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_probabilities_keep_the_order_of_names() {
        let names = ["a", "b", "c"].map(String::from);
        let found = Prediction::new("x".into(), &[1.0, 2.0, 1.0], &names);
        let order: Vec<&str> = found.top(9).iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(order, ["b", "a", "c"]);
        assert_eq!((found.name(), found.top(1).len()), ("b", 1));
    }
}
