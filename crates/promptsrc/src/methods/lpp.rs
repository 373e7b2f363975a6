//! LP++: a linear probe with a learned share of the text features for each class.

use crate::config::{Crops, FeatureConfig, HeadSettings};
use crate::methods::method::{Circumstances, Family, FeatureMethod, Method};
use crate::methods::needs::Need;
use crate::methods::tip_adapter::templates;

/// LP++ (Huang et al., CVPR 2024). The published program chooses the epoch on as many validation
/// images as there are shots; here they are those of the few-shot sampling, at most four per class.
#[derive(Clone, Copy, Debug)]
pub struct Lpp;

impl Method for Lpp {
    fn name(&self) -> &'static str {
        "lp++"
    }
    fn paper_name(&self) -> &'static str {
        "LP++"
    }
    fn family(&self) -> Family<'_> {
        Family::Features(self)
    }
    fn needs(&self) -> &'static [Need] {
        &[Need::ValidationImages]
    }
}

impl FeatureMethod for Lpp {
    fn configure(&self, of: &Circumstances) -> FeatureConfig {
        FeatureConfig {
            method: self.name().to_string(),
            seed: 1,
            crops: Some(Crops {
                passes: 1,
                scale: 0.5,
            }),
            search: true,
            templates: templates(of),
            names_as_given: false,
            head: HeadSettings::Lpp(Default::default()),
        }
    }
}
