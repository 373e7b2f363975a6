//! SUN397's annotation: `ClassName.txt`, `Training_01.txt`, `Testing_01.txt`.

use std::collections::HashMap;
use std::path::Path;

use super::annotation::{Annotation, listed};
use super::generate;
use super::set::CatalogueSet;
use crate::labels::Labels;
use crate::{DataError, Dataset, Part, text};

/// Lines that begin with a slash: of classes such as `/a/apartment_building/outdoor`, labelled in
/// the order of the lines, and of images in them. The class name is made of the parts of the path
/// after the letter, in reverse order: `outdoor apartment_building`.
pub(super) fn read(set: &CatalogueSet, folder: &Path) -> Result<Annotation, DataError> {
    let class_file = set.need(folder, "ClassName.txt")?;
    let without_slash = |file: &Path, line: &text::Line| match line.text.strip_prefix('/') {
        Some(path) => Ok(path.to_string()),
        None => Err(line.wrong(
            file,
            format!("expected a path that begins with /, found {:?}", line.text),
        )),
    };
    let mut known = HashMap::new();
    let mut labels = Labels::new(&class_file);
    for (label, line) in text::lines(&class_file)?.iter().enumerate() {
        let path = without_slash(&class_file, line)?;
        let mut words: Vec<&str> = path.split('/').skip(1).collect();
        if words.is_empty() {
            return Err(line.wrong(&class_file, "expected /letter/class, found only one part"));
        }
        words.reverse();
        labels.add(label, &words.join(" "), || line.place(&class_file))?;
        known.insert(path, label);
    }
    let mut dataset = Dataset {
        class_names: labels.finish()?,
        ..Dataset::default()
    };
    let train_file = set.need(folder, "Training_01.txt")?;
    let test_file = set.need(folder, "Testing_01.txt")?;
    for (part, file) in [(Part::Train, &train_file), (Part::Test, &test_file)] {
        for line in text::lines(file)? {
            let image = without_slash(file, &line)?;
            let class = image.rsplit_once('/').map_or("", |(class, _)| class);
            let Some(label) = known.get(class) else {
                return Err(line.wrong(file, format!("ClassName.txt has no class {class:?}")));
            };
            dataset.part_mut(part).push(listed(&image, *label));
        }
    }
    generate::held_out(dataset, train_file)
}
