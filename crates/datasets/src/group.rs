//! Entries grouped by their labels.

use std::collections::HashMap;

/// Entries grouped by label: labels in the order of their first appearance, as the reference's
/// Python dictionaries have them, and each label's entries in their own order.
pub(crate) fn by_label<T>(entries: impl IntoIterator<Item = (usize, T)>) -> Vec<(usize, Vec<T>)> {
    let mut places: HashMap<usize, usize> = HashMap::new();
    let mut groups: Vec<(usize, Vec<T>)> = Vec::new();
    for (label, entry) in entries {
        let place = *places.entry(label).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push(entry),
            None => groups.push((label, vec![entry])),
        }
    }
    groups
}
