//! The reference's division of a class, for the paper's data sets without their split file: 50 %
//! train, 20 % val, 30 % test.
//!
//! It moves nearly every image when one is added. Other data sets are divided by
//! [`hash_split`](crate::hash_split).

use crate::{Dataset, Item, MersenneTwister, Part};

/// Seed of the shuffle; fixed, so that the split depends on the names only.
pub(crate) const SEED: u64 = 1;

/// How many of a class's images become train and val: 50 % and 20 %, rounded half to even. At
/// least one image is for training.
pub(crate) fn counts(images: usize) -> (usize, usize) {
    let share = |part: f64| (images as f64 * part).round_ties_even() as usize;
    (share(0.5).max(1), share(0.2))
}

/// Divides the images of each class, which must be sorted, so that their order does not depend on
/// the machine.
///
/// As the reference does it (`DescribableTextures.read_and_split_data`,
/// `OxfordFlowers.read_data`): Python's `random.shuffle`, one stream of random numbers for all
/// classes, in their order. The reference shuffles what `os.listdir` returns, with whatever state
/// the run's seed has left.
pub(crate) fn divide(classes: Vec<Vec<Item>>, dataset: &mut Dataset) {
    let mut random = MersenneTwister::new(SEED);
    for mut items in classes {
        random.shuffle(&mut items);
        let (train, val) = counts(items.len());
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
