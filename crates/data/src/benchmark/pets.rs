//! OxfordPets' annotation: `annotations/{trainval,test}.txt`.

use std::path::Path;

use super::{BenchmarkSet, Read, draw, listed, listing};
use crate::source::labels::Labels;
use crate::{DataError, Dataset, Part};

/// Lines of picture, class from 1, species and breed. The class is called as the picture without
/// its last `_number`, in small letters.
pub(super) fn read(set: &BenchmarkSet, folder: &Path) -> Result<Read, DataError> {
    let mut dataset = Dataset::default();
    let trainval = set.need(folder, "annotations/trainval.txt")?;
    let test = set.need(folder, "annotations/test.txt")?;
    let mut labels = Labels::new(&trainval);
    for (part, file) in [(Part::Train, &trainval), (Part::Test, &test)] {
        for line in listing::lines(file)? {
            let fields: Vec<&str> = line.text.split_whitespace().collect();
            let [picture, class, _species, _breed] = fields.as_slice() else {
                return Err(line.wrong(
                    file,
                    format!(
                        "expected picture, class, species and breed, found {} words",
                        fields.len()
                    ),
                ));
            };
            let label = line.label_from_one(file, class)?;
            let Some((name, _)) = picture.rsplit_once('_') else {
                return Err(line.wrong(
                    file,
                    format!("expected a picture called breed_number, found {picture:?}"),
                ));
            };
            labels.add(label, &name.to_lowercase(), || line.place(file))?;
            dataset
                .part_mut(part)
                .push(listed(format!("{picture}.jpg"), label));
        }
    }
    dataset.class_names = labels.finish()?;
    draw::hold_out(&mut dataset, &trainval)?;
    Ok(Read {
        drawn: Some(draw::HELD_OUT),
        ..Read::new(dataset, trainval)
    })
}
