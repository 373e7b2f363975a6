//! Resolves a preset, a method and single settings to the configuration of a run.

use crate::config::{ConfigError, Guidance, Overrides, Preset, TrainConfig};
use crate::methods::method::{Circumstances, PromptMethod, SettingGroup};
use crate::methods::registry::prompt_method;

/// Everything that determines a configuration. `train` and every run of a sweep use it, so that the
/// same options have the same meaning everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the method.
    pub method: &'a str,
    /// The preset that was given by name.
    pub preset: Option<Preset>,
    /// The preset if none was given: that of the protocol.
    pub default_preset: Preset,
    /// Whether the CLIP is the built-in one, which takes images of 48 x 48 pixels. Unless a preset
    /// was given by name, crops then cover at least half of an image, and few-shot learning uses
    /// the same number of epochs as base-to-novel (see [`Preset::Mini`]).
    pub is_mini: bool,
    /// Name of the data set.
    pub data_set: &'a str,
    /// Shots per class; `None`: all images.
    pub shots: Option<usize>,
    /// The seed.
    pub seed: u64,
    /// Settings that replace those of the preset and the method.
    pub overrides: &'a Overrides,
}

impl Request<'_> {
    /// Applies the preset, the method and the overrides, in this order, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] if the method is unknown, a given setting does not exist for it, or a value
    /// is invalid.
    pub fn resolve(&self) -> Result<TrainConfig, ConfigError> {
        let method = prompt_method(self.method)?;
        let preset = match (self.preset, self.is_mini, self.default_preset) {
            (Some(preset), ..) => preset,
            (None, true, Preset::BaseToNovel | Preset::FewShot) => Preset::Mini,
            (None, _, preset) => preset,
        };
        let mut published = match preset {
            Preset::FewShot => TrainConfig::few_shot_for(self.data_set),
            preset => TrainConfig::preset(preset),
        };
        if self.preset.is_none() && self.is_mini {
            published.crop_scale = TrainConfig::preset(Preset::Mini).crop_scale;
        }
        published.method = self.method.to_string();
        let circumstances = Circumstances {
            preset,
            data_set: self.data_set,
            shots: self.shots,
        };
        let mut config = method.configure(published, &circumstances);
        config.seed = self.seed;
        finish(config, method, self.overrides)
    }
}

/// The configuration of a file, with single settings replaced.
///
/// # Errors
/// The same as for [`Request::resolve`].
pub fn resolve_file(
    mut config: TrainConfig,
    seed: u64,
    overrides: &Overrides,
) -> Result<TrainConfig, ConfigError> {
    let method = prompt_method(&config.method)?;
    config.seed = seed;
    finish(config, method, overrides)
}

fn finish(
    mut config: TrainConfig,
    method: &dyn PromptMethod,
    overrides: &Overrides,
) -> Result<TrainConfig, ConfigError> {
    let no_such = |option| ConfigError::NoSuchSetting {
        option,
        method: config.method.clone(),
    };
    let given = overrides.given();
    let lacks = |group: &SettingGroup| !method.has().contains(group);
    for group in SettingGroup::ALL.iter().filter(|group| lacks(group)) {
        let mut options = group.options().iter();
        if let Some(option) = options.find(|option| given.contains(option)) {
            return Err(no_such(option));
        }
        // A file may contain settings that its method does not have.
        if let Some(option) = in_file(&config, *group) {
            return Err(no_such(option));
        }
    }
    overrides.apply(&mut config)?;
    method.settle(&mut config, overrides)?;
    config.check()?;
    Ok(config)
}

/// The option of a setting of this group that a configuration has.
fn in_file(config: &TrainConfig, group: SettingGroup) -> Option<&'static str> {
    let prompts = &config.prompts;
    let (option, has) = match group {
        SettingGroup::SelfRegulation if config.aggregation.is_some() => ("gpa-mean", true),
        SettingGroup::SelfRegulation => ("text-loss-weight", config.regularisation.is_some()),
        SettingGroup::Knowledge => (
            "kg-weight",
            matches!(config.guidance, Some(Guidance::Knowledge { .. })),
        ),
        SettingGroup::GradientProjection => (
            "prograd-lambda",
            matches!(config.guidance, Some(Guidance::GradientProjection { .. })),
        ),
        SettingGroup::ClassSpecific => ("class-specific", prompts.class_specific),
        SettingGroup::ClassPosition => ("class-position", !prompts.class_position.is_end()),
        // Recorded for every method, whether or not it reads them.
        SettingGroup::TeacherTexts
        | SettingGroup::VisualPrompts
        | SettingGroup::DeepTextPrompts => return None,
    };
    has.then_some(option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(method: &'a str, overrides: &'a Overrides) -> Request<'a> {
        Request {
            method,
            preset: None,
            default_preset: Preset::BaseToNovel,
            is_mini: false,
            data_set: "",
            shots: Some(16),
            seed: 1,
            overrides,
        }
    }

    #[test]
    fn ivlp_is_cross_entropy_alone_and_zero_shot_learns_nothing() {
        let none = Overrides::default();
        let of = |method| request(method, &none).resolve();
        assert_eq!(of("promptsrc"), Ok(TrainConfig::default()));
        let ivlp = of("ivlp").expect("a configuration");
        assert_eq!((ivlp.regularisation, ivlp.aggregation), (None, None));
        assert!(matches!(
            of("zero-shot"),
            Err(ConfigError::NothingToTrain { .. })
        ));
        assert!(matches!(of("no"), Err(ConfigError::UnknownMethod { .. })));
    }

    /// From the reference's files `configs/trainers/CoOp/vit_b16*.yaml` and its scripts.
    #[test]
    fn coop_has_its_own_epochs_batch_and_context() {
        let none = Overrides::default();
        let of = |preset, data_set, shots| {
            let config = Request {
                preset: Some(preset),
                data_set,
                shots: Some(shots),
                ..request("coop", &none)
            };
            let config = config.resolve().expect("a configuration");
            assert_eq!((config.batch_size, config.optim.lr), (32, 0.002));
            assert_eq!((config.regularisation, config.aggregation), (None, None));
            (config.epochs, config.prompts.n_ctx_text)
        };
        assert_eq!(of(Preset::FewShot, "DTD", 1), (50, 16));
        assert_eq!(of(Preset::FewShot, "DTD", 4), (100, 16));
        assert_eq!(of(Preset::FewShot, "DTD", 16), (200, 16));
        assert_eq!(of(Preset::FewShot, "imagenet", 16), (50, 16));
        assert_eq!(of(Preset::BaseToNovel, "DTD", 16), (200, 4));
        assert_eq!(of(Preset::CrossDataset, "ImageNet", 16), (50, 4));
    }

    #[test]
    fn a_setting_that_a_method_does_not_have_is_refused_by_its_option() {
        let gpa = Overrides {
            gpa_mean: Some(3.0),
            ..Overrides::default()
        };
        let depth = Overrides {
            vision_depth: Some(3),
            ..Overrides::default()
        };
        for (method, overrides, option) in [
            ("ivlp", &gpa, "gpa-mean"),
            ("coop", &gpa, "gpa-mean"),
            ("coop", &depth, "vision-depth"),
        ] {
            let error = request(method, overrides).resolve().unwrap_err();
            assert!(error.to_string().starts_with(option), "{error}");
        }
        assert_eq!(
            request("promptsrc", &gpa)
                .resolve()
                .map(|c| c.aggregation.map(|a| a.mean)),
            Ok(Some(3.0))
        );
    }

    #[test]
    fn a_small_clip_sees_half_of_an_image_at_least_unless_a_preset_is_named() {
        let none = Overrides::default();
        for default_preset in [Preset::BaseToNovel, Preset::FewShot, Preset::CrossDataset] {
            let mini = Request {
                default_preset,
                is_mini: true,
                ..request("promptsrc", &none)
            };
            assert_eq!(mini.resolve().map(|c| c.crop_scale), Ok(0.5));
            let named = Request {
                preset: Some(default_preset),
                ..mini
            };
            assert_eq!(named.resolve().map(|c| c.crop_scale), Ok(0.08));
        }
    }

    #[test]
    fn published_few_shot_aggregation_follows_the_data_set() {
        let none = Overrides::default();
        for (data_set, mean, std) in [("DTD", 45.0, 5.0), ("SUN397", 30.0, 30.0)] {
            let few_shot = Request {
                default_preset: Preset::FewShot,
                data_set,
                ..request("promptsrc", &none)
            };
            let aggregation = few_shot.resolve().ok().and_then(|c| c.aggregation);
            assert_eq!(aggregation.map(|a| (a.mean, a.std)), Some((mean, std)));
        }
    }
}
