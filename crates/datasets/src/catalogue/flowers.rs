//! OxfordFlowers' annotation: `imagelabels.mat` and `cat_to_name.json`.

use std::collections::BTreeMap;
use std::path::Path;

use super::annotation::{Annotation, listed};
use super::generate;
use super::mat::MatFile;
use super::set::CatalogueSet;
use crate::labels::Labels;
use crate::{DataError, Dataset, group, text};

/// The label of each image, from 1, and the names of the labels. Classes are divided in the order
/// of their first appearance, as in the reference.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let label_file = set.need(folder, "imagelabels.mat")?;
    let name_file = set.need(folder, "cat_to_name.json")?;
    let text = text::read(&name_file)?;
    let names: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|e| DataError::Malformed {
            file: name_file.clone(),
            line: e.line() as u64,
            message: format!("expected an object of names, {{\"1\": \"pink primrose\", ...}}: {e}"),
        })?;
    let mut labels = Labels::new(&name_file);
    for (key, name) in &names {
        let number = key.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let Some(label) = number else {
            return Err(DataError::ClassNames {
                file: name_file,
                message: format!("expected the number of a class, from 1, found the key {key:?}"),
            });
        };
        labels.add(label, name, || format!("key {key:?}"))?;
    }
    let dataset = Dataset {
        class_names: labels.finish()?,
        ..Dataset::default()
    };
    let labels = MatFile::read(&label_file)?;
    let mut items = Vec::new();
    for (number, class) in (1..).zip(labels.numbers("labels")?) {
        let label = super::mat::whole_number(*class).and_then(|class| class.checked_sub(1));
        let Some(label) = label.filter(|label| *label < dataset.class_names.len()) else {
            return Err(labels.wrong(format!(
                "labels({number}): expected the number of a class from 1 to {}, found {class}",
                dataset.class_names.len()
            )));
        };
        items.push((label, listed(format!("image_{number:05}.jpg"), label)));
    }
    let classes = group::by_label(items).into_iter().map(|(_, class)| class);
    generate::divided(classes.collect(), dataset, label_file)
}
