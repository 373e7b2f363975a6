//! The linear probe of CoOp's repository: logistic regression on image features.

use crate::config::{FeatureConfig, HeadSettings};
use crate::methods::method::{Circumstances, Family, FeatureMethod, Method};
use crate::methods::needs::Need;

/// The linear probe that CoOp is compared with (`lpclip/`; Radford et al., 2021): logistic regression
/// on features of the images' centres, whose penalty is searched on the validation images.
#[derive(Clone, Copy, Debug)]
pub struct LinearProbe;

impl Method for LinearProbe {
    fn name(&self) -> &'static str {
        "linear-probe"
    }
    fn paper_name(&self) -> &'static str {
        "linear probe"
    }
    fn family(&self) -> Family<'_> {
        Family::Features(self)
    }
    fn needs(&self) -> &'static [Need] {
        &[Need::ValidationImages]
    }
}

impl FeatureMethod for LinearProbe {
    fn configure(&self, _: &Circumstances) -> FeatureConfig {
        FeatureConfig {
            method: self.name().to_string(),
            seed: 1,
            crops: None,
            search: true,
            templates: Vec::new(),
            names_as_given: false,
            head: HeadSettings::LinearProbe(Default::default()),
        }
    }
}
