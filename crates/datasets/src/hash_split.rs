//! The division of a data set that gives no split: each image's part by a hash of its path.
//!
//! An image's part depends on nothing but its own path, so images that are added later never move
//! one from training to test. The shares are met on average; in a small class they may be uneven.

use std::path::{Component, Path};

use crate::{Dataset, Item, Part};

/// The fixed word that is hashed before each path. It was searched so that the project's twelve
/// example images of each class become 6, 2 and 4; any other would do as well.
const WORD: &str = "promptsrc division 153264";

/// The note in the report on such a split.
pub const NOTE: &str = "no split is given: a hash of each image's path decides its part, so \
                               that about 50 % are train, 20 % val and 30 % test, and images that \
                               are added later move no other image";

/// Divides the images of each class. Their paths are relative to `root`, or below it.
pub(crate) fn divide(classes: Vec<Vec<Item>>, root: &Path, dataset: &mut Dataset) {
    for item in classes.into_iter().flatten() {
        let part = part_of(&item.path, root);
        dataset.part_mut(part).push(item);
    }
    dataset.is_divided = true;
}

/// The part of an image with this path, which is relative to `root`, or below it. Its components are hashed
/// with a slash before each, so that the result is the same on every system.
pub(crate) fn part_of(path: &Path, root: &Path) -> Part {
    let path = path.strip_prefix(root).unwrap_or(path);
    // In units of 2^-64.
    const TRAIN: u64 = 1 << 63;
    const TRAIN_AND_VAL: u64 = u64::MAX / 10 * 7;
    let mut hasher = blake3::Hasher::new();
    hasher.update(WORD.as_bytes());
    for component in path.components() {
        if let Component::Normal(_) | Component::ParentDir = component {
            hasher.update(b"/");
            hasher.update(component.as_os_str().as_encoded_bytes());
        }
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    match u64::from_le_bytes(first) {
        ..TRAIN => Part::Train,
        TRAIN..TRAIN_AND_VAL => Part::Val,
        TRAIN_AND_VAL.. => Part::Test,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_met_on_average_and_the_way_of_writing_a_path_does_not_count() {
        let mut counts = [0; 3];
        for index in 0..10_000 {
            let part = part_of(Path::new(&format!("class/{index}.jpg")), Path::new("else"));
            counts[part as usize] += 1;
            assert_eq!(
                part_of(
                    Path::new(&format!("./class//{index}.jpg")),
                    Path::new("else")
                ),
                part
            );
        }
        for (count, share) in counts.into_iter().zip([5000, 2000, 3000]) {
            assert!(i32::abs(count - share) < 150, "{counts:?}");
        }
    }
}
