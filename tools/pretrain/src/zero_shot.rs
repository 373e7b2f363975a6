//! Zero-shot accuracy of a CLIP on the world's data sets.

use std::collections::BTreeMap;

use promptsrc::{Classifier, Part};
use promptsrc_clip::{ClipModel, ClipWeights, templates};
use promptsrc_world::{Purpose, sets};

/// Accuracy in per cent on the validation images of all classes, by data set. The test images
/// are not used.
pub fn measure(
    weights: &ClipWeights,
    threads: usize,
) -> Result<BTreeMap<&'static str, f64>, Box<dyn std::error::Error>> {
    let clip = ClipModel::new(weights, &Default::default())?;
    sets()
        .iter()
        .filter(|set| set.purpose() != Purpose::Shifted)
        .map(|set| {
            let dataset = set.dataset();
            let classifier =
                Classifier::zero_shot(&clip, &dataset.class_names, &[templates::PHOTO])?;
            let items = dataset.part(Part::Val);
            let found = classifier.evaluate(items, threads, &mut |_| {})?;
            Ok((set.name(), (found.accuracy * 1000.0).round() / 10.0))
        })
        .collect()
}
