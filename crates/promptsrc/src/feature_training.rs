//! The training of a feature method: the features of the images and texts, then the fit of the head.

use std::collections::BTreeMap;

use promptsrc_clip::values;
use promptsrc_datasets::{Augment, DataError, Item, LoaderOptions, TrainLoader};
use promptsrc_files::SaveError;
use promptsrc_heads::{
    ClipAdapter, Features, FewShot, Fitted, HeadError, LinearProbe, Lpp, Observer, Progress,
    Prototypes, TipAdapter, TrainFeatures,
};

use crate::class_texts::{
    ClassTextError, NameForm, frozen_text_features, tokens_as, zero_shot_weights,
};
use crate::clip::Clip;
use crate::config::{ConfigError, FeatureConfig, HeadSettings};
use crate::events::Event;
use crate::head::Head;
use crate::image_batches::ImageBatches;
use crate::parameters::{ParameterError, Parameters};
use crate::stop;

/// Images that the frozen tower takes at once; does not affect the results.
const BATCH: usize = 32;

/// A head that cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A class name cannot be embedded.
    #[error(transparent)]
    Names(#[from] ClassTextError),
    /// The images cannot be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// It was asked to [stop](crate::stop). The features of the images are in the CLIP's cache.
    #[error("stopped after the features of {done} of {images} images")]
    Stopped {
        /// Images that are encoded.
        done: usize,
        /// All.
        images: usize,
    },
    /// There are no images to choose settings on.
    #[error(
        "the method {method} chooses settings on validation images, and {data_set} has none{}: use a \\
         split with validation images{}",
        if *missing > 0 { format!(" that are present ({missing} are missing)") } else { String::new() },
        if *can_do_without { ", or give --no-search for its initial settings" } else { ", or give --probe-c" }
    )]
    NoValidation {
        /// The method.
        method: String,
        /// The data set.
        data_set: String,
        /// Validation images that are missing.
        missing: usize,
        /// Whether the method can do without.
        can_do_without: bool,
    },
    /// Validation images are missing, and may not be left out.
    #[error(
        "{missing} of {wanted} validation images of {data_set}, on which the method {method} chooses \\
         settings, are missing: with --allow-missing they are left out"
    )]
    MissingValidation {
        /// The method.
        method: String,
        /// The data set.
        data_set: String,
        /// How many are missing.
        missing: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// The fit failed.
    #[error("the method {method}: {source}")]
    Head {
        /// The method.
        method: String,
        /// Why.
        source: HeadError,
    },
    /// The head is not finite.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// The features cannot be saved in the cache.
    #[error("the cache of image features: {0}")]
    Cache(#[from] SaveError),
}

/// What a head is trained on.
pub(crate) struct FeatureTraining<'a> {
    pub clip: &'a Clip,
    pub config: &'a FeatureConfig,
    pub names: &'a [String],
    pub train: &'a [Item],
    pub validation: &'a [Item],
    pub threads: usize,
}

/// A trained head, and what it chose.
pub(crate) struct Trained {
    pub parameters: Parameters,
    pub figures: BTreeMap<String, f64>,
}

impl FeatureTraining<'_> {
    /// Checks, before any image is decoded, that the texts can be encoded.
    pub fn check(&self) -> Result<(), FeatureError> {
        check_names(self.clip, self.config, self.names)
    }

    /// Encodes what has not been encoded before, and fits the head.
    pub fn run(&self, observe: &mut dyn FnMut(&Event)) -> Result<Trained, FeatureError> {
        let config = self.config;
        let text_features = self.text_features(observe)?;
        let passes = config.crops.as_ref().map_or(1, |crops| crops.passes);
        let validates = config.needs_validation();
        let validation = if validates { self.validation } else { &[] };
        let mut encoded = Encoded {
            training: self,
            done: 0,
            total: passes * self.train.len() + validation.len(),
            observe,
        };
        let train = TrainFeatures {
            dim: self.clip.config().embed_dim,
            views: encoded.training_features()?,
            labels: self.train.iter().map(|item| item.label).collect(),
        };
        let validation = match validates {
            true => Some(Features {
                dim: train.dim,
                values: encoded.centres(validation)?,
                labels: validation.iter().map(|item| item.label).collect(),
            }),
            false => None,
        };
        self.clip.feature_cache().save()?;

        let data = FewShot {
            text_features: &text_features,
            train: &train,
            validation: validation.as_ref(),
            logit_scale: self.clip.logit_scale(),
        };
        let (done, images) = (encoded.done, encoded.total);
        let fit = &mut Watch { observe };
        let Fitted { head, figures } = self.fit(&data, fit).map_err(|source| match source {
            // A head has no state of its own: it starts again from the features.
            HeadError::Stopped => FeatureError::Stopped { done, images },
            source => FeatureError::Head {
                method: config.method.clone(),
                source,
            },
        })?;
        let figures = figures
            .into_iter()
            .map(|(name, value)| (name.to_string(), value));
        Ok(Trained {
            parameters: head.parameters()?,
            figures: figures.collect(),
        })
    }

    fn fit(&self, data: &FewShot, observer: &mut dyn Observer) -> Result<Fitted<Head>, HeadError> {
        fn of<H>(fitted: Fitted<H>, head: fn(H) -> Head) -> Fitted<Head> {
            Fitted {
                head: head(fitted.head),
                figures: fitted.figures,
            }
        }
        let (seed, classes) = (self.config.seed, self.names.len());
        Ok(match &self.config.head {
            HeadSettings::LinearProbe(settings) => of(
                LinearProbe::fit(settings, classes, data.train, data.validation, observer)?,
                Head::LinearProbe,
            ),
            HeadSettings::Prototypes(settings) => of(
                Prototypes::fit(settings, data, seed, observer)?,
                Head::Prototypes,
            ),
            HeadSettings::Lpp(settings) => of(Lpp::fit(settings, data, seed, observer)?, Head::Lpp),
            HeadSettings::TipAdapter(settings) => {
                of(TipAdapter::fit(settings, data, observer)?, Head::TipAdapter)
            }
            HeadSettings::TipAdapterF(settings) => of(
                TipAdapter::fit_keys(settings, data, seed, observer)?,
                Head::TipAdapter,
            ),
            HeadSettings::ClipAdapter(settings) => of(
                ClipAdapter::fit(settings, data, seed, observer)?,
                Head::ClipAdapter,
            ),
        })
    }

    /// Text features `[classes, embed_dim]`, as the head takes them; none if it takes none.
    fn text_features(&self, observe: &mut dyn FnMut(&Event)) -> Result<Vec<f32>, FeatureError> {
        let (clip, templates) = (self.clip.model(), &self.config.templates);
        let progress = &mut |done, total| observe(&Event::Texts { done, total });
        Ok(match &self.config.head {
            HeadSettings::LinearProbe(_) => Vec::new(),
            HeadSettings::Prototypes(_) => values(frozen_text_features(
                clip,
                self.names,
                templates,
                name_form(self.config),
                progress,
            )?),
            _ => values(zero_shot_weights(clip, self.names, templates, progress)?),
        })
    }

    /// Number of values that a head learns.
    pub fn learned_values(&self) -> usize {
        let dim = self.clip.config().embed_dim;
        let (classes, images) = (self.names.len(), self.train.len());
        match &self.config.head {
            HeadSettings::LinearProbe(_) => classes * (dim + 1),
            HeadSettings::Prototypes(_) => classes * dim,
            HeadSettings::Lpp(_) => classes * (dim + 2),
            HeadSettings::TipAdapter(_) => 0,
            HeadSettings::TipAdapterF(_) => images * dim,
            HeadSettings::ClipAdapter(settings) => 2 * dim * (dim / settings.reduction.max(1)),
        }
    }
}

/// Checks that the texts of class names can be encoded as a configuration needs them.
pub(crate) fn check_names(
    clip: &Clip,
    config: &FeatureConfig,
    names: &[String],
) -> Result<(), FeatureError> {
    crate::class_texts::check_names(names)?;
    for template in &config.templates {
        tokens_as(clip, template, names, name_form(config))?;
    }
    Ok(())
}

fn name_form(config: &FeatureConfig) -> NameForm {
    match config.names_as_given {
        true => NameForm::AsGiven,
        false => NameForm::Cleaned,
    }
}

/// Reports the progress of a fit, and ends it where it was asked to [stop].
struct Watch<'a> {
    observe: &'a mut dyn FnMut(&Event),
}

impl Observer for Watch<'_> {
    fn progress(&mut self, progress: Progress) {
        (self.observe)(&Event::Fit {
            epoch: progress.epoch,
            epochs: progress.epochs,
            loss: progress.loss,
        });
    }

    fn should_stop(&self) -> bool {
        stop::is_requested()
    }
}

/// Encodes images and reports how many.
struct Encoded<'a, 'b> {
    training: &'a FeatureTraining<'a>,
    done: usize,
    total: usize,
    observe: &'b mut dyn FnMut(&Event),
}

impl Encoded<'_, '_> {
    /// Features `[images, embed_dim]` of each pass over the training images.
    fn training_features(&mut self) -> Result<Vec<Vec<f32>>, FeatureError> {
        let training = self.training;
        let Some(crops) = &training.config.crops else {
            return Ok(vec![self.centres(training.train)?]);
        };
        let loader = TrainLoader::new(
            training.train.to_vec(),
            training.clip.preprocess(),
            Augment {
                scale: (crops.scale, 1.0),
                ..Augment::default()
            },
            training.config.seed,
            LoaderOptions {
                threads: training.threads,
                ..LoaderOptions::new(BATCH)
            },
        )?;
        (1..=crops.passes)
            .map(|pass| {
                let mut rows = Vec::new();
                for batch in loader.in_order(pass as u64) {
                    let batch = batch?;
                    rows.extend(self.encode(&batch.images, batch.n)?);
                }
                Ok(rows)
            })
            .collect()
    }

    /// Features `[images, embed_dim]` of the images' centres.
    fn centres(&mut self, items: &[Item]) -> Result<Vec<f32>, FeatureError> {
        let training = self.training;
        let mut rows = Vec::new();
        for batch in ImageBatches::new(training.clip, items.to_vec(), training.threads)? {
            let batch = batch?;
            rows.extend(self.encode(&batch.images, batch.n)?);
        }
        Ok(rows)
    }

    fn encode(&mut self, images: &[f32], n: usize) -> Result<Vec<f32>, FeatureError> {
        let clip = self.training.clip;
        let rows = clip.feature_cache().features(clip, images, n)?;
        self.done += n;
        (self.observe)(&Event::Features {
            done: self.done,
            total: self.total,
        });
        if self.done < self.total && stop::is_requested() {
            clip.feature_cache().save()?;
            return Err(FeatureError::Stopped {
                done: self.done,
                images: self.total,
            });
        }
        Ok(rows)
    }
}
