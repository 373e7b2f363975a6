//! OxfordFlowers' annotation: `imagelabels.mat` and `cat_to_name.json`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::mat::MatFile;
use super::{CatalogueSet, Read, draw, listed};
use crate::source::labels::Labels;
use crate::{DataError, Dataset, Item};

/// The label of each image, from 1, and the names of the labels. Classes are divided in the order
/// of their first appearance, as the reference does.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Read, DataError> {
    let label_file = set.need(folder, "imagelabels.mat")?;
    let name_file = set.need(folder, "cat_to_name.json")?;
    let text = crate::source::read_text(&name_file)?;
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
    let mut dataset = Dataset {
        class_names: labels.finish()?,
        ..Dataset::default()
    };
    let labels = MatFile::read(&label_file)?;
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut classes: Vec<Vec<Item>> = Vec::new();
    for (number, class) in (1..).zip(labels.numbers("labels")?) {
        let label = super::mat::whole_number(*class).and_then(|class| class.checked_sub(1));
        let Some(label) = label.filter(|label| *label < dataset.class_names.len()) else {
            return Err(labels.wrong(format!(
                "labels({number}): expected the number of a class from 1 to {}, found {class}",
                dataset.class_names.len()
            )));
        };
        let item = listed(format!("image_{number:05}.jpg"), label);
        let place = *place.entry(label).or_insert(classes.len());
        match classes.get_mut(place) {
            Some(class) => class.push(item),
            None => classes.push(vec![item]),
        }
    }
    draw::shares(classes, &mut dataset, &label_file)?;
    Ok(Read {
        drawn: Some(draw::SHARES),
        ..Read::new(dataset, label_file)
    })
}
