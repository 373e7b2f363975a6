//! StanfordCars' annotation: `devkit/cars_{meta,train_annos}.mat`, `cars_test_annos_withlabels.mat`.

use std::path::{Path, PathBuf};

use super::annotation::{Annotation, listed};
use super::generate;
use super::mat::{Array, MatFile};
use super::set::CatalogueSet;
use crate::labels::Labels;
use crate::{DataError, Dataset, Part};

/// Structures with the fields `fname` and `class` (from 1), and the class names, whose year is
/// moved to the front: `Audi TT RS Coupe 2012` -> `2012 Audi TT RS Coupe`.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let meta_file = set.need(folder, "devkit/cars_meta.mat")?;
    let meta = MatFile::read(&meta_file)?;
    let mut labels = Labels::new(&meta_file);
    for (label, name) in meta.cells("class_names")?.iter().enumerate() {
        let Some(name) = name.text() else {
            return Err(meta.wrong(format!(
                "expected text as class_names{{{}}}, found {}",
                label + 1,
                name.kind()
            )));
        };
        labels.add(label, &year_first(&name), || {
            format!("class_names{{{}}}", label + 1)
        })?;
    }
    let mut dataset = Dataset {
        class_names: labels.finish()?,
        ..Dataset::default()
    };
    let train_file = set.need(folder, "devkit/cars_train_annos.mat")?;
    let test_file = set.need(folder, "cars_test_annos_withlabels.mat")?;
    for (part, file, images) in [
        (Part::Train, &train_file, "cars_train"),
        (Part::Test, &test_file, "cars_test"),
    ] {
        let annotation = MatFile::read(file)?;
        let entries = annotation.structures("annotations")?;
        for (index, entry) in entries.enumerate() {
            let at = |what: &str| format!("annotations({}): {what}", index + 1);
            let Some(image) = entry.get("fname").and_then(Array::text) else {
                return Err(annotation.wrong(at("expected text as its field fname")));
            };
            let class = entry.get("class").and_then(Array::whole_number);
            let label = class.and_then(|class| class.checked_sub(1));
            let Some(label) = label.filter(|label| *label < dataset.class_names.len()) else {
                return Err(annotation.wrong(at(&format!(
                    "expected the number of a class from 1 to {} as its field class, found {}",
                    dataset.class_names.len(),
                    class.map_or("none".to_string(), |class| class.to_string())
                ))));
            };
            let path = PathBuf::from(images).join(image);
            dataset.part_mut(part).push(listed(path, label));
        }
    }
    generate::held_out(dataset, train_file)
}

fn year_first(name: &str) -> String {
    match name.rsplit_once(' ') {
        Some((model, year)) => format!("{year} {model}"),
        None => name.to_string(),
    }
}
