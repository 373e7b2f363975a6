//! CLIP-Adapter: a small network on the image feature, for any class names.

use crate::config::{Crops, FeatureConfig, HeadSettings};
use crate::methods::method::{Circumstances, Family, FeatureMethod, Method};

/// CLIP-Adapter (Gao et al., IJCV 2024). Its repository has no configuration; these are the settings of
/// a re-run for ViT-B/16 (Skip-Tuning). An epoch uses one of the encoded passes of random crops; a program
/// without a cache has new crops in each.
#[derive(Clone, Copy, Debug)]
pub struct ClipAdapter;

impl Method for ClipAdapter {
    fn name(&self) -> &'static str {
        "clip-adapter"
    }
    fn paper_name(&self) -> &'static str {
        "CLIP-Adapter"
    }
    fn family(&self) -> Family<'_> {
        Family::Features(self)
    }
}

impl FeatureMethod for ClipAdapter {
    fn configure(&self, of: &Circumstances) -> FeatureConfig {
        FeatureConfig {
            method: self.name().to_string(),
            seed: 1,
            crops: Some(Crops {
                passes: 20,
                scale: 0.08,
            }),
            search: true,
            templates: vec![of.template().to_string()],
            names_as_given: false,
            head: HeadSettings::ClipAdapter(Default::default()),
        }
    }
}
