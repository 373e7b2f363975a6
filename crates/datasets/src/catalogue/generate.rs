//! Splits generated where the annotation does not define them.

use std::path::PathBuf;

use super::annotation::Annotation;
use crate::{DataError, Dataset, Item, MersenneTwister, divide, group};

/// How [`divided`] generates a split, in words.
const DIVIDED: &str = "each class was divided into 50 % train, 20 % val and 30 % test";
/// How [`held_out`] generates a split, in words.
const HELD_OUT: &str = "20 % of the training images of each class became val";

/// The images of each class, divided as by [`divide`](divide::divide); each part must get some.
pub(super) fn divided(
    classes: Vec<Vec<Item>>,
    mut dataset: Dataset,
    source: PathBuf,
) -> Result<Annotation, DataError> {
    for items in &classes {
        let (train, val) = divide::counts(items.len());
        if val == 0 || train + val >= items.len() {
            return Err(too_few(&dataset, items, source, DIVIDED));
        }
    }
    divide::divide(classes, &mut dataset);
    Ok(Annotation {
        generated: Some(DIVIDED),
        ..Annotation::new(dataset, source)
    })
}

/// Takes 20 % of the training images of each class for validation, as the reference does
/// (`OxfordPets.split_trainval`): classes in the order of their first appearance, one stream of
/// random numbers, the number of images rounded half to even.
pub(super) fn held_out(mut dataset: Dataset, source: PathBuf) -> Result<Annotation, DataError> {
    let mut random = MersenneTwister::new(divide::SEED);
    let train = std::mem::take(&mut dataset.train);
    for (_, mut items) in group::by_label(train.into_iter().map(|item| (item.label, item))) {
        let val = (items.len() as f64 * 0.2).round_ties_even() as usize;
        if val == 0 {
            return Err(too_few(&dataset, &items, source, HELD_OUT));
        }
        random.shuffle(&mut items);
        let train = items.split_off(val);
        dataset.val.append(&mut items);
        dataset.train.extend(train);
    }
    Ok(Annotation {
        generated: Some(HELD_OUT),
        ..Annotation::new(dataset, source)
    })
}

fn too_few(dataset: &Dataset, items: &[Item], folder: PathBuf, shares: &'static str) -> DataError {
    let name = items
        .first()
        .and_then(|item| dataset.class_names.get(item.label));
    DataError::TooFewToDivide {
        folder,
        name: name.cloned().unwrap_or_default(),
        images: items.len(),
        shares,
    }
}
