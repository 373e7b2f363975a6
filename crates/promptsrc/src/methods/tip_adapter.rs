//! Tip-Adapter and Tip-Adapter-F: a cache of the training images' features beside the text features.

use promptsrc_clip::templates::SELECT;
use promptsrc_heads::{TipAdapterFSettings, TipAdapterSettings};

use crate::config::{Crops, FeatureConfig, HeadSettings};
use crate::methods::method::{Circumstances, Family, FeatureMethod, Method};
use crate::methods::needs::Need;

/// Tip-Adapter (Zhang et al., ECCV 2022), which learns nothing: alpha and beta are chosen on the
/// validation images. (The published program chooses them on the whole validation split, for ImageNet
/// on the test set.)
#[derive(Clone, Copy, Debug)]
pub struct TipAdapter;

impl Method for TipAdapter {
    fn name(&self) -> &'static str {
        "tip-adapter"
    }
    fn paper_name(&self) -> &'static str {
        "Tip-Adapter"
    }
    fn family(&self) -> Family<'_> {
        Family::Features(self)
    }
    fn needs(&self) -> &'static [Need] {
        &[Need::ValidationImages, Need::PublishedSelectionOnTest]
    }
}

/// Tip-Adapter-F (Zhang et al., ECCV 2022): the keys of the cache are trained. The keys are those of
/// the last epoch. (The published program takes the epoch that is best on the test set.)
#[derive(Clone, Copy, Debug)]
pub struct TipAdapterF;

impl Method for TipAdapterF {
    fn name(&self) -> &'static str {
        "tip-adapter-f"
    }
    fn paper_name(&self) -> &'static str {
        "Tip-Adapter-F"
    }
    fn family(&self) -> Family<'_> {
        Family::Features(self)
    }
    fn needs(&self) -> &'static [Need] {
        &[Need::ValidationImages, Need::PublishedSelectionOnTest]
    }
}

impl FeatureMethod for TipAdapter {
    fn configure(&self, of: &Circumstances) -> FeatureConfig {
        let settings = TipAdapterSettings::published(&of.paper_data_set());
        cache(self.name(), HeadSettings::TipAdapter(settings), of)
    }
}

impl FeatureMethod for TipAdapterF {
    fn configure(&self, of: &Circumstances) -> FeatureConfig {
        let settings = TipAdapterFSettings::published(&of.paper_data_set());
        cache(self.name(), HeadSettings::TipAdapterF(settings), of)
    }
}

fn cache(method: &str, head: HeadSettings, of: &Circumstances) -> FeatureConfig {
    FeatureConfig {
        method: method.to_string(),
        seed: 1,
        crops: Some(Crops {
            passes: 10,
            scale: 0.5,
        }),
        search: true,
        templates: templates(of),
        names_as_given: false,
        head,
    }
}

/// The data set's own template; for ImageNet seven.
pub(super) fn templates(of: &Circumstances) -> Vec<String> {
    match of.is_imagenet() {
        true => SELECT.map(str::to_string).to_vec(),
        false => vec![of.template().to_string()],
    }
}
