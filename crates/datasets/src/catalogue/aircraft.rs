//! FGVCAircraft's annotation: `variants.txt` and `images_variant_{train,val,test}.txt`.

use std::collections::HashMap;
use std::path::Path;

use super::annotation::{Annotation, listed};
use super::set::CatalogueSet;
use crate::labels::Labels;
use crate::{DataError, Dataset, Part, text};

/// Lines of an image's number and its variant; labels are in the order of `variants.txt`.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let variants = set.need(folder, "variants.txt")?;
    let mut labels = Labels::new(&variants);
    for (label, line) in text::lines(&variants)?.iter().enumerate() {
        labels.add(label, &line.text, || line.place(&variants))?;
    }
    let mut dataset = Dataset {
        class_names: labels.finish()?,
        ..Dataset::default()
    };
    let known: HashMap<&str, usize> = dataset
        .class_names
        .iter()
        .enumerate()
        .map(|(label, name)| (name.as_str(), label))
        .collect();
    let mut parts = Vec::new();
    for part in Part::ALL {
        let file = set.need(folder, &format!("images_variant_{part}.txt"))?;
        let mut items = Vec::new();
        for line in text::lines(&file)? {
            let Some((image, name)) = line.text.split_once(' ') else {
                return Err(line.wrong(&file, "expected an image and its variant, found one word"));
            };
            let Some(label) = known.get(name) else {
                return Err(line.wrong(&file, format!("variants.txt has no class {name:?}")));
            };
            items.push(listed(format!("{image}.jpg"), *label));
        }
        parts.push((part, items));
    }
    for (part, items) in parts {
        *dataset.part_mut(part) = items;
    }
    Ok(Annotation::new(dataset, variants))
}
