//! A checkpoint of the reference as an adapter, from its file, its log and what the user gives.

use std::collections::BTreeMap;

use super::error::ReferenceCheckpointError;
use super::prompts::{Extent, extent};
use super::reference_checkpoint::{ReferenceCheckpoint, is_saved_by_the_reference};
use crate::log::ReferenceResult;
use promptsrc::adapter::{Adapter, AdapterMeta};
use promptsrc::config::Warmup;
use promptsrc::methods::layer_prompts::Tower;
use promptsrc::methods::{self, Circumstances};
use promptsrc::records::{ClipRecord, DataRecord, PreprocessingRecord, other_settings};
use promptsrc::{ConfigError, Preset, TrainConfig};

/// What the user adds to a checkpoint, which may lack it. It takes precedence over the checkpoint,
/// except for the preset and the log, which are used where the checkpoint has no value.
#[derive(Clone, Debug, Default)]
pub struct Supplement {
    /// The method.
    pub method: Option<String>,
    /// Words that the text context was initialised with; by default `a photo of a`, as published.
    pub ctx_init: Option<String>,
    /// Names of the classes that it was trained on, in label order.
    pub class_names: Option<Vec<String>>,
    /// The CLIP, and the preprocessing of its images.
    pub clip: Option<(ClipRecord, PreprocessingRecord)>,
    /// Published configuration for settings that are found nowhere else; by default base-to-novel.
    pub preset: Option<Preset>,
    /// The run's log.
    pub log: Option<ReferenceResult>,
}

impl ReferenceCheckpoint {
    /// Whether the prompts are from an epoch before the last: not aggregated, and not those that
    /// the reference evaluates.
    pub fn is_unfinished(&self) -> bool {
        matches!((self.epoch, self.epochs), (Some(epoch), Some(epochs)) if epoch < epochs)
    }

    /// The checkpoint as an adapter. A file that this program wrote gives the adapter it was
    /// written from. Any other file has the prompts, method, optimiser, epochs and the shape of the
    /// CLIP; the prompt prefix, the data and the remaining settings come from `supplement`, its log
    /// and its preset. Without class names in `supplement`, there are none in the adapter; without
    /// a CLIP, its fingerprint is empty.
    ///
    /// # Errors
    ///
    /// Where the method or the CLIP is not known.
    pub fn adapter(&self, supplement: &Supplement) -> Result<Adapter, ReferenceCheckpointError> {
        let mut meta = match &self.record {
            Some(record) => record.clone(),
            None => self.described(supplement)?,
        };
        let config = |source| ReferenceCheckpointError::Config {
            path: self.path.clone(),
            source,
        };
        let mut prompts = meta.prompt_config().map_err(config)?.clone();
        if let Some(method) = supplement.method.as_ref().filter(|m| **m != meta.method) {
            meta.method = method.clone();
            prompts = of_method(prompts, method, supplement).map_err(config)?;
        }
        if let Some(words) = &supplement.ctx_init {
            prompts.prompts.ctx_init = words.clone();
        }
        if let Some(names) = &supplement.class_names {
            meta.class_names = names.clone();
        }
        if let Some((clip, preprocessing)) = &supplement.clip {
            self.check_settings(clip, preprocessing)?;
            (meta.clip, meta.preprocessing) = (clip.clone(), preprocessing.clone());
        }
        let model = methods::prompt_model(&prompts).map_err(config)?;
        meta.config = prompts.into();
        meta.template = format!("{} {{}}.", model.prompt_prefix());
        Ok(Adapter {
            parameters: self.prompts.clone(),
            meta,
        })
    }

    /// Whether a CLIP computes what the one of the training computed.
    fn check_settings(
        &self,
        clip: &ClipRecord,
        preprocessing: &PreprocessingRecord,
    ) -> Result<(), ReferenceCheckpointError> {
        let own = match (&self.record, &self.clip) {
            (Some(record), _) => (record.clip.clone(), record.preprocessing.clone()),
            // The reference opens OpenAI's files only, with their settings.
            (None, Some(shape)) => (shape.record(), shape.preprocessing()),
            (None, None) => return Ok(()),
        };
        let (trained, trained_preprocessing) = own;
        if (trained.vision, trained.text) != (clip.vision, clip.text) {
            // The prompts do not fit it, which is said when they are used.
            return Ok(());
        }
        let here = (clip.settings.as_ref(), preprocessing);
        match other_settings((trained.settings.as_ref(), &trained_preprocessing), here) {
            Some(differences) => Err(ReferenceCheckpointError::OtherSettings {
                path: self.path.clone(),
                differences,
            }),
            None => Ok(()),
        }
    }

    fn described(&self, supplement: &Supplement) -> Result<AdapterMeta, ReferenceCheckpointError> {
        let missing = |what, option| ReferenceCheckpointError::MissingInformation {
            path: self.path.clone(),
            what,
            option,
        };
        let log = supplement.log.as_ref();
        let method = supplement
            .method
            .clone()
            .or_else(|| self.method.clone())
            .or_else(|| {
                let method = log?.method()?.name();
                is_saved_by_the_reference(method).then(|| method.to_string())
            })
            .ok_or_else(|| missing("the method that its prompts were learned with", "--method"))?;
        let given = supplement.clip.clone();
        let own = || self.clip.as_ref().map(|c| (c.record(), c.preprocessing()));
        let (clip, preprocessing) = given
            .or_else(own)
            .ok_or_else(|| missing("the CLIP that its prompts belong to", "--clip"))?;
        let data = data(log);
        let config = self.config(&method, supplement).map_err(|source| {
            ReferenceCheckpointError::Config {
                path: self.path.clone(),
                source,
            }
        })?;
        let mut metrics = BTreeMap::new();
        if let Some(epoch) = self.epoch {
            metrics.insert("epochs".to_string(), epoch as f64);
        }
        Ok(AdapterMeta {
            format_version: AdapterMeta::FORMAT_VERSION,
            method,
            class_names: Vec::new(),
            template: String::new(),
            clip,
            preprocessing,
            data,
            precision: if self.half { "f16" } else { "f32" }.to_string(),
            config: config.into(),
            metrics,
        })
    }

    fn config(&self, method: &str, supplement: &Supplement) -> Result<TrainConfig, ConfigError> {
        let preset = supplement.preset.unwrap_or(Preset::BaseToNovel);
        let mut config = of_method(TrainConfig::preset(preset), method, supplement)?;
        let Extent { n_ctx, depth } = extent(&self.prompts, Tower::Text);
        (config.prompts.n_ctx_text, config.prompts.depth_text) = (n_ctx, depth);
        let Extent { n_ctx, depth } = extent(&self.prompts, Tower::Vision);
        (config.prompts.n_ctx_vision, config.prompts.depth_vision) = (n_ctx, depth);
        if let Some(log) = &supplement.log {
            logged(log, method, &mut config);
        }
        if let Some(epoch) = self.epoch {
            config.epochs = epoch;
        }
        let optim = &mut config.optim;
        for (name, value) in &self.optim {
            match name.as_str() {
                "initial_lr" => optim.lr = *value,
                "momentum" => optim.momentum = *value,
                "weight_decay" => optim.weight_decay = *value,
                "dampening" => optim.dampening = *value,
                "warmup_epoch" if *value >= 0.0 => optim.warmup_epochs = *value as usize,
                "cons_lr" => (optim.warmup, optim.warmup_lr) = (Warmup::Constant, *value),
                "min_lr" => (optim.warmup, optim.warmup_lr) = (Warmup::Linear, *value),
                _ => {}
            }
        }
        Ok(config)
    }
}

/// Settings for a method, without those that it does not have.
fn of_method(
    mut config: TrainConfig,
    method: &str,
    supplement: &Supplement,
) -> Result<TrainConfig, ConfigError> {
    config.method = method.to_string();
    let circumstances = Circumstances {
        preset: supplement.preset.unwrap_or(Preset::BaseToNovel),
        data_set: "",
        shots: None,
    };
    Ok(methods::prompt_method(method)?.configure(config, &circumstances))
}

/// Takes settings that are not in a checkpoint from its log.
fn logged(log: &ReferenceResult, method: &str, config: &mut TrainConfig) {
    let section = format!("TRAINER.{}", method.to_uppercase());
    let own = |name: &str| format!("{section}.{name}");
    let number = |name: &str| log.setting::<f64>(name).filter(|v| v.is_finite());
    if let Some(words) = log.settings.get(&own("CTX_INIT")) {
        config.prompts.ctx_init = words.clone();
    }
    if let Some(size) = log.setting("DATALOADER.TRAIN_X.BATCH_SIZE") {
        config.batch_size = size;
    }
    if let Some(seed) = log.seed {
        config.seed = seed;
    }
    // "(0.08, 1.0)"
    let scale = log.settings.get("INPUT.RRCROP_SCALE").and_then(|text| {
        let least = text.strip_prefix('(')?.split(',').next()?;
        least.trim().parse::<f64>().ok().filter(|v| v.is_finite())
    });
    if let Some(scale) = scale {
        config.crop_scale = scale;
    }
    if let Some(weights) = &mut config.regularisation {
        set(&mut weights.text, number(&own("TEXT_LOSS_WEIGHT")));
        set(&mut weights.image, number(&own("IMAGE_LOSS_WEIGHT")));
    }
    if let Some(aggregation) = &mut config.aggregation {
        set(&mut aggregation.mean, number(&own("GPA_MEAN")));
        set(&mut aggregation.std, number(&own("GPA_STD")));
    }
}

fn set(place: &mut f64, value: Option<f64>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn data(log: Option<&ReferenceResult>) -> DataRecord {
    let classes = log.and_then(|l| l.subset);
    DataRecord {
        name: log.and_then(|l| l.dataset.clone()).unwrap_or_default(),
        split: None,
        classes: classes.map_or("unknown".to_string(), |classes| classes.to_string()),
        shots: log.and_then(|l| l.shots),
        images: 0,
        seed: log.and_then(|l| l.seed).unwrap_or_default(),
        ..DataRecord::default()
    }
}
