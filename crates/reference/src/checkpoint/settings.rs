//! The configuration of a checkpoint's run, from its parameters, its log and what the user gives.

use super::form::Form;
use super::prompts::{Extent, extent};
use super::reference_checkpoint::ReferenceCheckpoint;
use super::supplement::Supplement;
use crate::log::ReferenceResult;
use promptsrc::config::{ClassPosition, Guidance, Warmup};
use promptsrc::methods::layer_prompts::Tower;
use promptsrc::methods::{self, Circumstances, SettingGroup};
use promptsrc::{ConfigError, MethodConfig, Overrides, Preset, TrainConfig};

/// The configuration of a run that left no record.
///
/// # Errors
/// [`ConfigError`] where the settings contradict each other or the parameters.
pub(super) fn described(
    checkpoint: &ReferenceCheckpoint,
    method: &str,
    supplement: &Supplement,
) -> Result<TrainConfig, ConfigError> {
    let log = supplement.log.as_ref();
    let preset = TrainConfig::preset(supplement.preset.unwrap_or(Preset::BaseToNovel));
    let mut config = of_method(preset, method, supplement)?;
    if checkpoint.form == Form::LayerPrompts {
        let prompts = &mut config.prompts;
        let Extent { n_ctx, depth } = extent(&checkpoint.prompts, Tower::Text);
        (prompts.n_ctx_text, prompts.depth_text) = (n_ctx, depth);
        let Extent { n_ctx, depth } = extent(&checkpoint.prompts, Tower::Vision);
        (prompts.n_ctx_vision, prompts.depth_vision) = (n_ctx, depth);
    }
    if let Some(log) = log {
        logged(log, method, &mut config);
    }
    if let Some(epoch) = checkpoint.epoch {
        config.epochs = epoch;
    }
    let optim = &mut config.optim;
    for (name, value) in &checkpoint.optim {
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
    let given = Overrides {
        ctx_init: supplement
            .ctx_init
            .clone()
            .or_else(|| words(checkpoint, method, log?)),
        class_position: supplement.class_position.or_else(|| position(method, log?)),
        ..Overrides::default()
    };
    settled(checkpoint, config, given)
}

/// The recorded configuration, with the settings that are given instead.
///
/// # Errors
/// [`ConfigError`] where these contradict each other or the parameters.
pub(super) fn replaced(
    checkpoint: &ReferenceCheckpoint,
    mut config: TrainConfig,
    method: &str,
    supplement: &Supplement,
) -> Result<TrainConfig, ConfigError> {
    let other = config.method != method;
    if other {
        let prompts = config.prompts.clone();
        config = of_method(config, method, supplement)?;
        config.prompts = prompts;
    }
    let given = Overrides {
        ctx_init: supplement.ctx_init.clone(),
        class_position: supplement.class_position,
        ..Overrides::default()
    };
    match other || given != Overrides::default() {
        true => settled(checkpoint, config, given),
        false => Ok(config),
    }
}

/// Applies settings that are given, and those that the parameters show.
fn settled(
    checkpoint: &ReferenceCheckpoint,
    mut config: TrainConfig,
    mut given: Overrides,
) -> Result<TrainConfig, ConfigError> {
    if checkpoint.form != Form::LayerPrompts {
        given.text_context = Some(checkpoint.n_ctx());
        given.class_specific = checkpoint.is_class_specific();
        // More words than the context has room for are not those of its run.
        let preset = config.prompts.ctx_init.replace('_', " ");
        let is_context = checkpoint.form == Form::Context;
        if is_context && preset.split_whitespace().count() > checkpoint.n_ctx() {
            config.prompts.ctx_init.clear();
        }
    }
    if checkpoint.form == Form::ProjectedPrompts {
        let is_prompt = |name: &str| name.starts_with("prompt_learner.compound_prompts_text.");
        let deep = checkpoint.prompts.iter().filter(|p| is_prompt(&p.name));
        given.text_depth = Some(1 + deep.count());
    }
    let seed = config.seed;
    match methods::resolve_file(config.into(), seed, &given)? {
        MethodConfig::Prompts(config) => Ok(config),
        MethodConfig::Features(config) => Err(ConfigError::NoPrompts {
            method: config.method,
        }),
    }
}

/// Settings for a method, without those that it does not have.
fn of_method(
    mut config: TrainConfig,
    method: &str,
    supplement: &Supplement,
) -> Result<TrainConfig, ConfigError> {
    config.method = method.to_string();
    let log = supplement.log.as_ref();
    let circumstances = Circumstances {
        preset: supplement.preset.unwrap_or(Preset::BaseToNovel),
        data_set: log.and_then(|l| l.dataset.as_deref()).unwrap_or_default(),
        shots: log.and_then(|l| l.shots),
    };
    Ok(methods::prompt_method(method)?.configure(config, &circumstances))
}

/// The section of a trainer in the reference's configuration; KgCoOp and ProGrad read CoOp's.
fn section(method: &str) -> String {
    match method {
        "kgcoop" | "prograd" => "TRAINER.COOP".to_string(),
        _ => format!("TRAINER.{}", method.to_uppercase()),
    }
}

/// The initial words of a run's log; `None` where those of the method are meant.
fn words(checkpoint: &ReferenceCheckpoint, method: &str, log: &ReferenceResult) -> Option<String> {
    let found = log.settings.get(&format!("{}.CTX_INIT", section(method)))?;
    let none = checkpoint.is_class_specific() || matches!(found.as_str(), "" | "False" | "None");
    match method {
        _ if none => Some(String::new()),
        // KgCoOp only asks whether there are words and has its own (`trainers/kgcoop.py`), and so does
        // ProGrad with those of the data set's template.
        "kgcoop" => Some("a photo of a".to_string()),
        "prograd" => None,
        _ => Some(found.clone()),
    }
}

/// Whether the class name may stand elsewhere than at the end, and nothing says where.
pub(super) fn assumes_position(method: &str, supplement: &Supplement) -> bool {
    let of_log = supplement.log.as_ref().and_then(|l| position(method, l));
    has_position(method) && supplement.class_position.or(of_log).is_none()
}

fn has_position(method: &str) -> bool {
    methods::prompt_method(method)
        .is_ok_and(|method| method.has().contains(&SettingGroup::ClassPosition))
}

/// The place of the class name of a run's log. KgCoOp stores it and does not use it.
fn position(method: &str, log: &ReferenceResult) -> Option<ClassPosition> {
    let name = format!("{}.CLASS_TOKEN_POSITION", section(method));
    log.setting(&name).filter(|_| has_position(method))
}

/// Takes settings that are not in a checkpoint from its log.
fn logged(log: &ReferenceResult, method: &str, config: &mut TrainConfig) {
    let section = section(method);
    let own = |name: &str| format!("{section}.{name}");
    let number = |name: &str| log.setting::<f64>(name).filter(|v| v.is_finite());
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
    match &mut config.guidance {
        Some(Guidance::Knowledge { weight }) => set(weight, number(&own("W"))),
        Some(Guidance::GradientProjection {
            lambda,
            temperature,
        }) => {
            set(lambda, number("LOSS.LAMBDA"));
            set(temperature, number("LOSS.T"));
        }
        None => {}
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
