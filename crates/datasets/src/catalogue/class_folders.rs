//! Data sets with one folder per class: Caltech101, Food101, DTD, EuroSAT.

use std::path::Path;

use super::annotation::Annotation;
use super::set::{CatalogueSet, FolderRules};
use super::{generate, listing};
use crate::labels::Labels;
use crate::{DataError, Dataset};

/// As the reference's `read_and_split_data`: labels in the sorted order of the folders, renamed
/// afterwards; each class divided into 50 % train, 20 % val, 30 % test.
pub(super) fn read(
    set: &CatalogueSet,
    rules: &FolderRules,
    folder: &Path,
) -> Result<Annotation, DataError> {
    let images = set.need(folder, set.images)?;
    let mut ignored = 0;
    let mut names = Labels::new(&images);
    let mut classes = Vec::new();
    let class_folders = listing::class_folders(&images)?;
    let is_class = |folder: &&String| !rules.ignored.contains(&folder.as_str());
    for (label, class) in class_folders.iter().filter(is_class).enumerate() {
        let renamed = rules.renamed.iter().find(|(from, _)| from == class);
        let name = match renamed {
            Some((_, to)) => to,
            None if rules.all_renamed => {
                return Err(DataError::ClassNames {
                    file: images.join(class),
                    message: format!(
                        "is not a class of {}; expected {}",
                        set.published_name,
                        rules
                            .renamed
                            .iter()
                            .map(|r| r.0)
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                });
            }
            None => class.as_str(),
        };
        names.add(label, name, || format!("the folder {class:?}"))?;
        let items = listing::class_items(&images, Path::new(class), label, &mut ignored)?;
        classes.push(items);
    }
    let dataset = Dataset {
        class_names: names.finish()?,
        ..Dataset::default()
    };
    Ok(Annotation {
        presence_known: true,
        ignored,
        ..generate::divided(classes, dataset, images)?
    })
}
