//! ZS-LP and CLAP: class prototypes that begin at the text features.

use promptsrc_clip::templates::SELECT;
use promptsrc_heads::ClapSettings;

use crate::config::{Crops, FeatureConfig, HeadSettings};
use crate::methods::method::{Circumstances, Family, FeatureMethod, Method};

/// A linear probe that begins at the text features (Silva-Rodriguez et al., CVPR 2024, section 4.1).
#[derive(Clone, Copy, Debug)]
pub struct ZsLp;

impl Method for ZsLp {
    fn name(&self) -> &'static str {
        "zs-lp"
    }
    fn paper_name(&self) -> &'static str {
        "ZS-LP"
    }
    fn family(&self) -> Family<'_> {
        Family::Features(self)
    }
}

/// ZS-LP with a penalty on the distance to the text features, stronger for classes that CLIP knows
/// (Silva-Rodriguez et al., CVPR 2024, section 4.2).
#[derive(Clone, Copy, Debug)]
pub struct Clap;

impl Method for Clap {
    fn name(&self) -> &'static str {
        "clap"
    }
    fn paper_name(&self) -> &'static str {
        "CLAP"
    }
    fn family(&self) -> Family<'_> {
        Family::Features(self)
    }
}

impl FeatureMethod for ZsLp {
    fn configure(&self, of: &Circumstances) -> FeatureConfig {
        prototypes(self.name(), ClapSettings::zs_lp(), of)
    }
}

impl FeatureMethod for Clap {
    fn configure(&self, of: &Circumstances) -> FeatureConfig {
        prototypes(self.name(), ClapSettings::clap(), of)
    }
}

/// The published program encodes 20 passes of random crops, whose text is the mean of features that are
/// not of unit length: of the data set's own template, for ImageNet after seven others. It leaves the
/// underscores in the class names of its data sets.
fn prototypes(method: &str, settings: ClapSettings, of: &Circumstances) -> FeatureConfig {
    let own = of.template().to_string();
    let templates = match of.is_imagenet() {
        true => SELECT
            .into_iter()
            .map(str::to_string)
            .chain([own])
            .collect(),
        false => vec![own],
    };
    FeatureConfig {
        method: method.to_string(),
        seed: 1,
        crops: Some(Crops {
            passes: 20,
            scale: 0.08,
        }),
        search: true,
        templates,
        names_as_given: of.has_own_template(),
        head: HeadSettings::Prototypes(settings),
    }
}
