//! Resolves a preset, a method and single settings to the configuration of a run.

use crate::config::{
    ConfigError, FeatureConfig, Guidance, MethodConfig, Overrides, Preset, TrainConfig,
};
use crate::methods::method::{
    Circumstances, Family, FeatureMethod, OF_FEATURE_METHODS, PromptMethod, SettingGroup,
};
use crate::methods::registry::find;

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

impl<'a> Request<'a> {
    /// A request for base-to-novel generalisation with 16 shots, on an unknown data set and any CLIP, with
    /// the seed 1.
    pub fn of(method: &'a str, overrides: &'a Overrides) -> Self {
        Self {
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

    /// Applies the preset, the method and the overrides, in this order, and checks the result.
    ///
    /// # Errors
    /// [`ConfigError`] if the method is unknown, a given setting does not exist for it, or a value
    /// is invalid.
    pub fn resolve(&self) -> Result<MethodConfig, ConfigError> {
        match find(self.method)?.family() {
            Family::Frozen => Err(ConfigError::NothingToTrain {
                method: self.method.to_string(),
            }),
            Family::Prompts(method) => Ok(self.resolve_prompts(method)?.into()),
            Family::Features(method) => Ok(self.resolve_features(method)?.into()),
        }
    }

    fn circumstances(&self, preset: Preset) -> Circumstances<'_> {
        Circumstances {
            preset,
            data_set: self.data_set,
            shots: self.shots,
        }
    }

    fn resolve_features(&self, method: &dyn FeatureMethod) -> Result<FeatureConfig, ConfigError> {
        if self.preset.is_some() {
            return Err(ConfigError::NoSuchSetting {
                option: "preset",
                method: self.method.to_string(),
            });
        }
        let mut config = method.configure(&self.circumstances(self.default_preset));
        config.seed = self.seed;
        if let Some(crops) = config.crops.as_mut().filter(|_| self.is_mini) {
            let least = TrainConfig::preset(Preset::Mini).crop_scale;
            crops.scale = crops.scale.max(least);
        }
        finish_features(config, self.overrides)
    }

    fn resolve_prompts(&self, method: &dyn PromptMethod) -> Result<TrainConfig, ConfigError> {
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
        let mut config = method.configure(published, &self.circumstances(preset));
        config.seed = self.seed;
        finish(config, method, self.overrides)
    }
}

/// The configuration of a file, with single settings replaced.
///
/// # Errors
/// The same as for [`Request::resolve`].
pub fn resolve_file(
    config: MethodConfig,
    seed: u64,
    overrides: &Overrides,
) -> Result<MethodConfig, ConfigError> {
    let other_family = |config: &MethodConfig| ConfigError::Lacks {
        method: config.method().to_string(),
        part: "the settings of this method: it has those of another kind of method",
    };
    match (find(config.method())?.family(), config) {
        (Family::Prompts(method), MethodConfig::Prompts(config)) => {
            Ok(finish(TrainConfig { seed, ..config }, method, overrides)?.into())
        }
        (Family::Features(_), MethodConfig::Features(config)) => {
            Ok(finish_features(FeatureConfig { seed, ..config }, overrides)?.into())
        }
        (Family::Frozen, config) => Err(ConfigError::NothingToTrain {
            method: config.method().to_string(),
        }),
        (_, config) => Err(other_family(&config)),
    }
}

fn finish_features(
    mut config: FeatureConfig,
    overrides: &Overrides,
) -> Result<FeatureConfig, ConfigError> {
    config.apply(overrides)?;
    config.check()?;
    Ok(config)
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
    if let Some(option) = OF_FEATURE_METHODS.iter().find(|o| given.contains(o)) {
        return Err(no_such(option));
    }
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
    use crate::config::HeadSettings;

    fn prompts(request: Request) -> TrainConfig {
        match request.resolve() {
            Ok(MethodConfig::Prompts(config)) => config,
            other => panic!("{other:?}"),
        }
    }

    /// From the repositories' configuration files and scripts.
    #[test]
    fn guided_and_conditional_methods_have_their_published_settings() {
        let none = Overrides::default();
        let of = |method, preset, data_set, shots| {
            prompts(Request {
                preset: Some(preset),
                data_set,
                shots: Some(shots),
                ..Request::of(method, &none)
            })
        };
        let key = |c: &TrainConfig| (c.epochs, c.batch_size, c.prompts.n_ctx_text, c.optim.lr);
        let (base, few, cross) = (Preset::BaseToNovel, Preset::FewShot, Preset::CrossDataset);
        assert_eq!(key(&of("cocoop", base, "DTD", 16)), (10, 1, 4, 0.002));
        assert_eq!(key(&of("maple", base, "DTD", 16)), (5, 4, 2, 0.0035));
        let maple = of("maple", cross, "ImageNet", 16);
        assert_eq!(key(&maple), (2, 4, 2, 0.0026));
        assert_eq!(
            (maple.prompts.depth_text, maple.prompts.depth_vision),
            (3, 3)
        );
        let kgcoop = of("kgcoop", base, "DTD", 16);
        assert_eq!(key(&kgcoop), (100, 128, 4, 0.002));
        assert_eq!(kgcoop.guidance, Some(Guidance::Knowledge { weight: 8.0 }));
        assert_eq!(kgcoop.templates, ["a photo of a {}, a type of texture."]);
        assert_eq!(
            of("kgcoop", base, "EuroSAT", 16).templates,
            ["a centered satellite photo of {}."]
        );
        let lambda = |preset, data_set, shots| match of("prograd", preset, data_set, shots).guidance
        {
            Some(Guidance::GradientProjection {
                lambda,
                temperature,
            }) => (lambda, temperature),
            other => panic!("{other:?}"),
        };
        assert_eq!(lambda(few, "DTD", 16), (0.8, 1.0));
        assert_eq!(lambda(few, "oxford_flowers", 8), (0.8, 1.0));
        assert_eq!(lambda(few, "EuroSAT", 4), (1.0, 1.0));
        assert_eq!(lambda(few, "OxfordPets", 16), (1.0, 1.0));
        assert_eq!(lambda(base, "DTD", 16), (1.0, 1.0));
        let prograd = of("prograd", few, "oxford_pets", 1);
        assert_eq!(key(&prograd), (50, 32, 16, 0.002));
        assert_eq!(prograd.prompts.ctx_init, "a type of pet, a photo of a");
        assert_eq!(
            of("prograd", few, "DTD", 1).prompts.ctx_init,
            "a texture of"
        );
    }

    #[test]
    fn a_feature_method_has_its_own_settings_and_no_others() {
        let none = Overrides::default();
        let config = |method, data_set, overrides| {
            let request = Request {
                data_set,
                ..Request::of(method, overrides)
            };
            match request.resolve() {
                Ok(MethodConfig::Features(config)) => config,
                other => panic!("{other:?}"),
            }
        };
        let clap = config("clap", "ImageNet", &none);
        assert_eq!(
            (clap.templates.len(), clap.crops.map(|c| c.passes)),
            (8, Some(20))
        );
        assert!(config("clap", "my images", &none).templates == ["a photo of a {}."]);
        assert!(config("clap", "UCF101", &none).names_as_given);
        assert!(!config("clap", "my images", &none).names_as_given);
        let HeadSettings::TipAdapter(tip) = config("tip-adapter", "dtd", &none).head else {
            panic!("another head");
        };
        assert_eq!((tip.init_alpha, tip.search_scale_beta), (2.0, 13.0));
        let lr = Overrides {
            lr: Some(0.5),
            ..Overrides::default()
        };
        for (method, has) in [
            ("zs-lp", true),
            ("tip-adapter-f", true),
            ("tip-adapter", false),
            ("linear-probe", false),
            ("lp++", false),
        ] {
            assert_eq!(Request::of(method, &lr).resolve().is_ok(), has, "{method}");
        }
        let passes = Overrides {
            passes: Some(2),
            ..Overrides::default()
        };
        assert_eq!(
            config("tip-adapter", "", &passes).crops.map(|c| c.passes),
            Some(2)
        );
        for method in ["promptsrc", "linear-probe"] {
            let error = Request::of(method, &passes).resolve().unwrap_err();
            assert!(error.to_string().starts_with("passes"), "{error}");
        }
        let named = Request {
            preset: Some(Preset::FewShot),
            ..Request::of("clap", &none)
        };
        assert!(
            named
                .resolve()
                .unwrap_err()
                .to_string()
                .starts_with("preset")
        );
    }

    #[test]
    fn ivlp_is_cross_entropy_alone_and_zero_shot_learns_nothing() {
        let none = Overrides::default();
        let of = |method| Request::of(method, &none).resolve();
        assert_eq!(of("promptsrc"), Ok(TrainConfig::default().into()));
        let ivlp = prompts(Request::of("ivlp", &none));
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
                ..Request::of("coop", &none)
            };
            let config = prompts(config);
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
            let error = Request::of(method, overrides).resolve().unwrap_err();
            assert!(error.to_string().starts_with(option), "{error}");
        }
        let aggregation = prompts(Request::of("promptsrc", &gpa)).aggregation;
        assert_eq!(aggregation.map(|a| a.mean), Some(3.0));
    }

    #[test]
    fn a_small_clip_sees_half_of_an_image_at_least_unless_a_preset_is_named() {
        let none = Overrides::default();
        for default_preset in [Preset::BaseToNovel, Preset::FewShot, Preset::CrossDataset] {
            let mini = Request {
                default_preset,
                is_mini: true,
                ..Request::of("promptsrc", &none)
            };
            assert_eq!(prompts(mini).crop_scale, 0.5);
            let named = Request {
                preset: Some(default_preset),
                ..mini
            };
            assert_eq!(prompts(named).crop_scale, 0.08);
        }
    }

    #[test]
    fn published_few_shot_aggregation_follows_the_data_set() {
        let none = Overrides::default();
        for (data_set, mean, std) in [("DTD", 45.0, 5.0), ("SUN397", 30.0, 30.0)] {
            let few_shot = Request {
                default_preset: Preset::FewShot,
                data_set,
                ..Request::of("promptsrc", &none)
            };
            let aggregation = prompts(few_shot).aggregation;
            assert_eq!(aggregation.map(|a| (a.mean, a.std)), Some((mean, std)));
        }
    }
}
