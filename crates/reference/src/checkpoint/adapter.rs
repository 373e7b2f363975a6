//! A checkpoint of the reference as an adapter, from its file, its log and what the user gives.

use std::collections::BTreeMap;

use promptsrc_datasets::Classes;

use super::error::ReferenceCheckpointError;
use super::reference_checkpoint::ReferenceCheckpoint;
use crate::log::ReferenceResult;
use promptsrc::adapter::{Adapter, AdapterMeta, ClipRecord, DataRecord, PreprocessingRecord};
use promptsrc::config::{Method, Preset, TrainConfig, Warmup};
use promptsrc::prompts::{Prompt, Prompts, Tower};

/// What the user adds to a checkpoint, which may lack it. It takes precedence over the checkpoint,
/// except for the preset and the log, which are used where the checkpoint has no value.
#[derive(Clone, Debug, Default)]
pub struct Supplement {
    /// The method.
    pub method: Option<Method>,
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
        if let Some(method) = supplement.method.filter(|method| *method != meta.method) {
            meta.method = method;
            meta.config = meta.config.with_method(method);
        }
        if let Some(words) = &supplement.ctx_init {
            meta.config.prompts.ctx_init = words.clone();
        }
        if let Some(names) = &supplement.class_names {
            meta.class_names = names.clone();
        }
        if let Some((clip, preprocessing)) = &supplement.clip {
            (meta.clip, meta.preprocessing) = (clip.clone(), preprocessing.clone());
        }
        meta.template = format!("{} {{}}.", meta.config.prompt_lead());
        Ok(Adapter {
            prompts: self.prompts.clone(),
            meta,
        })
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
            .or(self.method)
            .or_else(|| log?.method())
            .ok_or_else(|| missing("the method that its prompts were learned with", "--method"))?;
        let given = supplement.clip.clone();
        let own = || self.clip.as_ref().map(|c| (c.record(), c.preprocessing()));
        let (clip, preprocessing) = given
            .or_else(own)
            .ok_or_else(|| missing("the CLIP that its prompts belong to", "--clip"))?;
        let data = data(log);
        let config = self.config(method, supplement);
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
            config,
            metrics,
        })
    }

    fn config(&self, method: Method, supplement: &Supplement) -> TrainConfig {
        let preset = supplement.preset.unwrap_or(Preset::BaseToNovel);
        let mut config = TrainConfig::preset(preset).with_method(method);
        let [n_ctx_text, depth_text] = extent(&self.prompts, Tower::Text);
        let [n_ctx_vision, depth_vision] = extent(&self.prompts, Tower::Vision);
        config.prompts.n_ctx_text = n_ctx_text;
        config.prompts.depth_text = depth_text;
        config.prompts.n_ctx_vision = n_ctx_vision;
        config.prompts.depth_vision = depth_vision;
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
        config
    }
}

/// Tokens and depth of a tower's prompts.
fn extent(prompts: &Prompts, tower: Tower) -> [usize; 2] {
    let n_ctx = |prompt: &Prompt| prompt.shape[0];
    [
        prompts.of(tower).next().map_or(0, n_ctx),
        prompts.of(tower).count(),
    ]
}

/// Takes settings that are not in a checkpoint from its log.
fn logged(log: &ReferenceResult, method: Method, config: &mut TrainConfig) {
    let section = match method {
        Method::PromptSrc => "TRAINER.PROMPTSRC",
        Method::Ivlp => "TRAINER.IVLP",
    };
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
    let classes = match log.and_then(|l| l.subset) {
        Some(Classes::All) => "all",
        Some(Classes::Base) => "base",
        Some(Classes::Novel) => "novel",
        None => "unknown",
    };
    DataRecord {
        name: log.and_then(|l| l.dataset.clone()).unwrap_or_default(),
        split: None,
        classes: classes.to_string(),
        shots: log.and_then(|l| l.shots),
        images: 0,
        seed: log.and_then(|l| l.seed).unwrap_or_default(),
    }
}
