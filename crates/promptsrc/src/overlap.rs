//! What an adapter was trained on among that on which it is evaluated.

use std::collections::HashSet;

use promptsrc_datasets::{Classes, Item, Part, Subset};

use crate::adapter::AdapterMeta;

/// Warnings if an evaluation of an adapter on these images of a subset shows more than it can do on
/// new ones: it was trained on some of the images, or on classes that are called novel.
pub fn overlap_warnings(
    adapter: &AdapterMeta,
    subset: &Subset,
    part: Part,
    items: &[Item],
) -> Vec<String> {
    let mut warnings = Vec::new();
    if part != Part::Train {
        let trained = adapter.data.trained_on.count_in(items);
        if trained > 0 {
            warnings.push(format!(
                "the adapter was trained on {trained} of the {} {part} images of {} (files of the \
                 same content): its accuracy on new images is lower",
                items.len(),
                subset.data_set
            ));
        }
    }
    let known: HashSet<&String> = adapter.class_names.iter().collect();
    let trained = subset
        .class_names
        .iter()
        .filter(|name| known.contains(name));
    let trained: Vec<&str> = trained.map(String::as_str).collect();
    if let (Classes::Novel, [first, ..]) = (subset.classes, trained.as_slice()) {
        warnings.push(format!(
            "the adapter was trained on {} of the {} novel classes of {} (such as {first:?}): they \
             are not new to it",
            trained.len(),
            subset.class_names.len(),
            subset.data_set
        ));
    }
    warnings
}
