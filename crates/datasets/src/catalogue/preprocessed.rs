//! ImageNet's lists, as the reference caches them in a pickle.

use std::path::{Path, PathBuf};

use super::annotation::listed;
use crate::datum::{list, parse, wrong};
use crate::labels::Labels;
use crate::{DataError, Dataset, Part};

/// ImageNet's lists `train` and `test`. Paths become relative to the image folder: part, class
/// folder and file.
pub(super) fn lists(file: &Path) -> Result<Dataset, DataError> {
    let (pickle, _) = parse(file)?;
    let mut dataset = Dataset::default();
    // Of ImageNet's classes, two are called "missile" and two "sunglasses".
    let mut names = Labels::with_shared_names(file);
    for (part, name) in [(Part::Train, "train"), (Part::Test, "test")] {
        let Some(list) = list(file, &pickle, name)? else {
            return Err(wrong(file, format!("expected a list {name:?}, found none")));
        };
        for datum in list {
            let Some(tail) = datum
                .path
                .len()
                .checked_sub(3)
                .and_then(|n| datum.path.get(n..))
            else {
                let path = datum.path.join("/");
                return Err(wrong(
                    file,
                    format!("expected a path ending in part/class/file, found {path:?}"),
                ));
            };
            let path: PathBuf = tail.iter().collect();
            dataset.part_mut(part).push(listed(path, datum.label));
            names.add(datum.label, &datum.class_name, || datum.path.join("/"))?;
        }
    }
    dataset.class_names = names.finish()?;
    Ok(dataset)
}
