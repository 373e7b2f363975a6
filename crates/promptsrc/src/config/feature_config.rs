//! The configuration of a feature method: a head on the frozen features of CLIP.

use promptsrc_heads::{
    ClapSettings, ClipAdapterSettings, LinearProbeSettings, LppSettings, TipAdapterFSettings,
    TipAdapterSettings,
};
use serde::{Deserialize, Serialize};

use crate::config::bounds::{at_most, epochs, have_place, positive, within};
use crate::config::error::ConfigError;
use crate::config::overrides::Overrides;

/// Everything that determines the training of a feature method, apart from the data and the CLIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// Name of the method in the registry.
    pub method: String,
    /// Seed of the few-shot sampling, the crops, the order of the steps and random initial values.
    pub seed: u64,
    /// Random crops of the training images; `None`: their centres, as in an evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crops: Option<Crops>,
    /// Whether settings are chosen on the validation images (never on test images). If not, the head
    /// has its initial settings, or those of the last epoch.
    pub search: bool,
    /// Templates of the text features; none if the method does not use texts.
    pub templates: Vec<String>,
    /// Whether underscores stay in the class names of the texts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_as_given: bool,
    /// The head.
    pub head: HeadSettings,
}

/// Random crops and flips of the training images, encoded once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crops {
    /// Passes over the images, each with its own crops.
    pub passes: usize,
    /// Smallest fraction of an image's area that a crop covers.
    pub scale: f64,
}

/// The settings of a head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadSettings {
    /// CoOp's linear probe.
    LinearProbe(LinearProbeSettings),
    /// ZS-LP and CLAP.
    Prototypes(ClapSettings),
    /// LP++.
    Lpp(LppSettings),
    /// Tip-Adapter.
    TipAdapter(TipAdapterSettings),
    /// Tip-Adapter-F.
    TipAdapterF(TipAdapterFSettings),
    /// CLIP-Adapter.
    ClipAdapter(ClipAdapterSettings),
}

impl HeadSettings {
    /// Whether the head chooses settings on validation images.
    pub fn searches(&self) -> bool {
        match self {
            Self::LinearProbe(settings) => settings.c.is_none(),
            Self::Lpp(_) | Self::TipAdapter(_) | Self::TipAdapterF(_) => true,
            Self::Prototypes(_) | Self::ClipAdapter(_) => false,
        }
    }

    /// Whether the head can do without such a choice.
    fn has_own_settings(&self) -> bool {
        !matches!(self, Self::LinearProbe(settings) if settings.c.is_none())
    }

    /// Whether the head classifies among the classes of its training only.
    pub fn is_class_specific(&self) -> bool {
        !matches!(self, Self::ClipAdapter(_))
    }

    /// Epochs of the training; 1 if it has none.
    pub fn epochs(&self) -> usize {
        match self {
            Self::LinearProbe(_) | Self::TipAdapter(_) => 1,
            Self::Prototypes(settings) => settings.sgd.epochs,
            Self::Lpp(settings) => settings.epochs,
            Self::TipAdapterF(settings) => settings.epochs,
            Self::ClipAdapter(settings) => settings.sgd.epochs,
        }
    }

    /// Whether it has an option, by its name on the command line, beside those of every feature method.
    fn has(&self, option: &str) -> bool {
        const SGD: [&str; 7] = [
            "epochs",
            "batch-size",
            "lr",
            "momentum",
            "weight-decay",
            "warmup-epochs",
            "warmup-lr",
        ];
        const ADAM_W: [&str; 4] = ["epochs", "batch-size", "lr", "weight-decay"];
        match self {
            Self::LinearProbe(_) => option == "probe-c",
            Self::Prototypes(_) => SGD.contains(&option),
            Self::Lpp(_) => ["epochs", "momentum", "no-search"].contains(&option),
            Self::TipAdapter(_) => option == "no-search",
            Self::TipAdapterF(_) => option == "no-search" || ADAM_W.contains(&option),
            Self::ClipAdapter(_) => option == "adapter-ratio" || SGD.contains(&option),
        }
    }

    /// Replaces settings by the given ones.
    fn apply(&mut self, given: &Overrides) {
        match self {
            Self::LinearProbe(settings) => {
                settings.c = given.probe_c.or(settings.c);
            }
            Self::Prototypes(ClapSettings { sgd, .. }) => apply_sgd(sgd, given),
            Self::Lpp(settings) => {
                set(&mut settings.epochs, given.epochs);
                set(&mut settings.momentum, given.momentum);
            }
            Self::TipAdapter(_) => {}
            Self::TipAdapterF(settings) => {
                set(&mut settings.epochs, given.epochs);
                set(&mut settings.batch_size, given.batch_size);
                set(&mut settings.adamw.lr, given.lr);
                set(&mut settings.adamw.weight_decay, given.weight_decay);
            }
            Self::ClipAdapter(settings) => {
                set(&mut settings.ratio, given.adapter_ratio);
                apply_sgd(&mut settings.sgd, given);
            }
        }
    }
}

fn apply_sgd(sgd: &mut promptsrc_heads::SgdSettings, given: &Overrides) {
    set(&mut sgd.epochs, given.epochs);
    set(&mut sgd.batch_size, given.batch_size);
    set(&mut sgd.lr, given.lr);
    set(&mut sgd.momentum, given.momentum);
    set(&mut sgd.weight_decay, given.weight_decay);
    set(&mut sgd.warmup_epochs, given.warmup_epochs);
    set(&mut sgd.warmup_lr, given.warmup_lr);
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl FeatureConfig {
    /// Replaces settings by the given ones.
    ///
    /// # Errors
    /// [`ConfigError::NoSuchSetting`] if one is given that the method does not have.
    pub fn apply(&mut self, given: &Overrides) -> Result<(), ConfigError> {
        for option in given.given() {
            let known = match option {
                "passes" | "crop-scale" => self.crops.is_some(),
                "templates" => !self.templates.is_empty(),
                option => self.head.has(option),
            };
            if !known {
                return Err(ConfigError::NoSuchSetting {
                    option,
                    method: self.method.clone(),
                });
            }
        }
        if let Some(crops) = &mut self.crops {
            set(&mut crops.passes, given.passes);
            set(&mut crops.scale, given.crop_scale);
        }
        set(&mut self.templates, given.templates.clone());
        self.search &= !given.no_search;
        self.head.apply(given);
        Ok(())
    }

    /// Whether the method chooses settings on validation images.
    pub fn needs_validation(&self) -> bool {
        self.search && self.head.searches()
    }

    /// Rejects a configuration that cannot be trained.
    ///
    /// # Errors
    /// [`ConfigError`] names the option.
    pub fn check(&self) -> Result<(), ConfigError> {
        const MOST_ROWS: usize = 1_000_000_000;
        if let Some(crops) = &self.crops {
            positive("passes", crops.passes)?;
            at_most("passes", crops.passes, 10_000)?;
            within("crop-scale", crops.scale, 1e-4, 1.0)?;
        }
        let batch_size = |value| {
            positive("batch-size", value)?;
            at_most("batch-size", value, MOST_ROWS)
        };
        have_place(&self.templates)?;
        if self.templates.is_empty() && !matches!(self.head, HeadSettings::LinearProbe(_)) {
            return Err(ConfigError::NoTemplates);
        }
        if !self.search && !self.head.has_own_settings() {
            return Err(ConfigError::Lacks {
                method: self.method.clone(),
                part: "the value of probe-c, which is not searched",
            });
        }
        epochs(self.head.epochs())?;
        let sgd = |sgd: &promptsrc_heads::SgdSettings| {
            batch_size(sgd.batch_size)?;
            within("lr", sgd.lr, 0.0, 1e3)?;
            within("momentum", sgd.momentum, 0.0, 1.0)?;
            within("weight-decay", sgd.weight_decay, 0.0, 1e3)?;
            within("warmup-lr", sgd.warmup_lr, 0.0, 1e3)
        };
        match &self.head {
            HeadSettings::LinearProbe(settings) => match settings.c {
                Some(c) => within("probe-c", c, 1e-12, 1e12),
                None => Ok(()),
            },
            HeadSettings::Prototypes(settings) => sgd(&settings.sgd),
            HeadSettings::Lpp(settings) => within("momentum", settings.momentum, 0.0, 1.0),
            HeadSettings::TipAdapter(_) => Ok(()),
            HeadSettings::TipAdapterF(settings) => {
                batch_size(settings.batch_size)?;
                within("lr", settings.adamw.lr, 0.0, 1e3)?;
                within("weight-decay", settings.adamw.weight_decay, 0.0, 1e3)
            }
            HeadSettings::ClipAdapter(settings) => {
                within("adapter-ratio", settings.ratio, 0.0, 1.0)?;
                sgd(&settings.sgd)
            }
        }
    }
}
