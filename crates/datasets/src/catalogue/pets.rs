//! OxfordPets' annotation: `annotations/{trainval,test}.txt`.

use std::path::Path;

use super::annotation::{Annotation, listed};
use super::generate;
use super::set::CatalogueSet;
use crate::labels::Labels;
use crate::{DataError, Dataset, Part, text};

/// Lines of image, class from 1, species and breed. The class name is the image's name without its
/// last `_number`, in lower case.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let mut dataset = Dataset::default();
    let trainval = set.need(folder, "annotations/trainval.txt")?;
    let test = set.need(folder, "annotations/test.txt")?;
    let mut labels = Labels::new(&trainval);
    for (part, file) in [(Part::Train, &trainval), (Part::Test, &test)] {
        for line in text::lines(file)? {
            let fields: Vec<&str> = line.text.split_whitespace().collect();
            let [image, class, _species, _breed] = fields.as_slice() else {
                return Err(line.wrong(
                    file,
                    format!(
                        "expected image, class, species and breed, found {} words",
                        fields.len()
                    ),
                ));
            };
            let label = line.label_from_one(file, class)?;
            let Some((name, _)) = image.rsplit_once('_') else {
                return Err(line.wrong(
                    file,
                    format!("expected an image called breed_number, found {image:?}"),
                ));
            };
            labels.add(label, &name.to_lowercase(), || line.place(file))?;
            dataset
                .part_mut(part)
                .push(listed(format!("{image}.jpg"), label));
        }
    }
    dataset.class_names = labels.finish()?;
    generate::held_out(dataset, trainval)
}
