//! A split where none is given: 50 % train, 20 % val, 30 % test of each class.

use crate::{Dataset, Item, MersenneTwister, Part};

/// Seed of the shuffle; fixed, so that the split depends on the names only.
const SEED: u64 = 1;

/// What to tell of such a split.
pub(super) const NOTE: &str = "no split is given: each class was divided into 50 % train, 20 % val \
                               and 30 % test by its sorted names, always the same way";

/// Divides the images of each class, which must come in an order that does not depend on the
/// machine.
///
/// As the reference's `read_and_split_data`, with its rounding (half to even) and Python's
/// `random.shuffle`, one stream over all classes; but seeded with 1 and over sorted names, where
/// the reference shuffles what `os.listdir` gives with whatever the run's seed left. A class always
/// keeps at least one training image.
pub(super) fn divide(classes: Vec<Vec<Item>>, dataset: &mut Dataset) {
    let mut random = MersenneTwister::new(SEED);
    for mut items in classes {
        random.shuffle(&mut items);
        let share = |part: f64| (items.len() as f64 * part).round_ties_even() as usize;
        let (train, val) = (share(0.5).max(1), share(0.2));
        for (index, item) in items.into_iter().enumerate() {
            let part = if index < train {
                Part::Train
            } else if index < train + val {
                Part::Val
            } else {
                Part::Test
            };
            dataset.part_mut(part).push(item);
        }
    }
}
