//! Data sets with a folder a class: Caltech101, Food101, DTD, EuroSAT.

use std::path::Path;

use super::{CatalogueSet, Read, draw, listing};
use crate::source::labels::Labels;
use crate::{DataError, Dataset, Item};

/// How the folders' names become class names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Folders that are no classes.
    pub(super) ignored: &'static [&'static str],
    /// Folders whose classes go by another name.
    pub(super) renamed: &'static [(&'static str, &'static str)],
    /// Whether a folder that is not in `renamed` is a mistake.
    pub(super) all_renamed: bool,
}

/// As the reference's `read_and_split_data`: labels in the sorted order of the folders, renamed
/// afterwards; every class divided into 50 % train, 20 % val, 30 % test.
pub(super) fn read(set: &CatalogueSet, rules: &Rules, folder: &Path) -> Result<Read, DataError> {
    let root = set.need(folder, set.images)?;
    let mut dataset = Dataset::default();
    let mut ignored = 0;
    let mut names = Labels::new(&root);
    let mut classes = Vec::new();
    let class_folders = listing::class_folders(&root)?;
    let is_class = |folder: &&String| !rules.ignored.contains(&folder.as_str());
    for (label, class) in class_folders.iter().filter(is_class).enumerate() {
        let renamed = rules.renamed.iter().find(|(from, _)| from == class);
        let name = match renamed {
            Some((_, to)) => to,
            None if rules.all_renamed => {
                return Err(DataError::ClassNames {
                    file: root.join(class),
                    message: format!(
                        "is no class of {}; expected {}",
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
        let listing = listing::images(&root.join(class))?;
        ignored += listing.ignored;
        let items = listing.files.into_iter().map(|(file, presence)| Item {
            presence,
            ..Item::new(Path::new(class).join(file), label)
        });
        classes.push(items.collect());
    }
    dataset.class_names = names.finish()?;
    draw::shares(classes, &mut dataset, &root)?;
    Ok(Read {
        drawn: Some(draw::SHARES),
        seen: true,
        ignored,
        ..Read::new(dataset, root)
    })
}
