//! Facts about a run from the path of its log, as the reference's scripts name their folders.
//!
//! | script | folder |
//! |---|---|
//! | base to novel | `train_base/<data set>/shots_<K>/<trainer>/<config>/seed<S>`, and `test_new/...` |
//! | cross-dataset | `evaluation/<trainer>/<config>_<K>shots/<data set>/seed<S>` |
//! | few-shot | `<data set>/<trainer>/<config>_<K>shots/seed<S>` |

use std::path::Path;

use super::result::{ReferenceResult, subset};

/// The data sets: the names of their configuration files, which the scripts give to folders, and
/// their names in the reference.
const DATA_SETS: [(&str, &str); 15] = [
    ("caltech101", "Caltech101"),
    ("dtd", "DescribableTextures"),
    ("eurosat", "EuroSAT"),
    ("fgvc_aircraft", "FGVCAircraft"),
    ("food101", "Food101"),
    ("imagenet", "ImageNet"),
    ("imagenet_a", "ImageNetA"),
    ("imagenet_r", "ImageNetR"),
    ("imagenet_sketch", "ImageNetSketch"),
    ("imagenetv2", "ImageNetV2"),
    ("oxford_flowers", "OxfordFlowers"),
    ("oxford_pets", "OxfordPets"),
    ("stanford_cars", "StanfordCars"),
    ("sun397", "SUN397"),
    ("ucf101", "UCF101"),
];

/// The trainers of the reference.
const TRAINERS: [&str; 7] = [
    "CoCoOp",
    "CoOp",
    "IVLP",
    "MaPLe",
    "PromptSRC",
    "ZeroshotCLIP",
    "ZeroshotCLIP2",
];

/// Adds what the log does not contain. The folder nearest to the log takes precedence.
pub(super) fn complete(found: &mut ReferenceResult, path: &Path) {
    let folders = path.parent().map(Path::components).into_iter().flatten();
    for folder in folders.rev() {
        let Some(name) = folder.as_os_str().to_str() else {
            continue;
        };
        let number = |prefix: &str| name.strip_prefix(prefix)?.parse().ok();
        found.seed = found.seed.or_else(|| number("seed"));
        found.shots = found
            .shots
            .or_else(|| number("shots_").map(|k| k as usize))
            .or_else(|| name.strip_suffix("shots")?.rsplit_once('_')?.1.parse().ok())
            .filter(|k| *k > 0);
        found.subset = found.subset.or_else(|| {
            let half = name
                .strip_prefix("train_")
                .or_else(|| name.strip_prefix("test_"))?;
            subset(half)
        });
        if found.dataset.is_none() {
            let known = DATA_SETS.iter().find(|(key, _)| *key == name);
            found.dataset = known.map(|(_, class)| class.to_string());
        }
        if found.trainer.is_none() {
            let known = TRAINERS.iter().find(|t| t.eq_ignore_ascii_case(name));
            found.trainer = known.map(|t| t.to_string());
        }
    }
}
