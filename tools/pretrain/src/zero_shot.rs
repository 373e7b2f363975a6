//! Zero-shot accuracy of a CLIP on the world's data sets.

use std::collections::BTreeMap;

use promptsrc::datasets::Part;
use promptsrc::{Classifier, ClipModel, ClipWeights, evaluate};
use promptsrc_world::{Purpose, sets};

/// Accuracy in per cent on the validation images of all classes, by data set. The test images
/// are not used.
pub fn measure(
    weights: &ClipWeights,
    threads: usize,
) -> Result<BTreeMap<&'static str, f64>, Box<dyn std::error::Error>> {
    let clip = ClipModel::new(weights, &Default::default())?;
    let template = ["a photo of a {}.".to_string()];
    sets()
        .iter()
        .filter(|set| set.purpose() != Purpose::Shifted)
        .map(|set| {
            let dataset = set.dataset();
            let classifier = Classifier::zero_shot(&clip, &dataset.class_names, &template)?;
            let items = dataset.part(Part::Val);
            let found = evaluate(&clip, &classifier, items, threads, &mut |_| {})?;
            Ok((set.name(), (found.accuracy * 1000.0).round() / 10.0))
        })
        .collect()
}
