//! Class names that CLIP cannot tell apart: the same but for case, white space and underscores.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A name as CLIP's tokenizer reads it: underscores are spaces, white space is collapsed, case does
/// not count. Names with the same reading get the same text features.
///
/// ```
/// use promptsrc_datasets::reading;
///
/// assert_eq!(reading("Red_circle "), reading("red  circle"));
/// ```
pub fn reading(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| c == '_' || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").to_lowercase()
}

/// The places of each name whose reading an earlier one has: (earlier, later).
pub fn same_names(names: &[impl AsRef<str>]) -> Vec<(usize, usize)> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(names.len());
    let mut pairs = Vec::new();
    for (place, name) in names.iter().enumerate() {
        match places.entry(reading(name.as_ref())) {
            Entry::Occupied(first) => pairs.push((*first.get(), place)),
            Entry::Vacant(entry) => {
                entry.insert(place);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_tokenizer_drops_is_the_same() {
        assert_eq!(reading(" Tiger__Lily\t"), "tiger lily");
        let names = ["cat", "a cat", "Cat", "cats", "CAT_", "c-at", "A  cat"];
        assert_eq!(same_names(&names), [(0, 2), (0, 4), (1, 6)]);
    }
}
