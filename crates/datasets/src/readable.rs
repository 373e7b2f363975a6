//! Which images cannot be decoded, before they are needed.

use promptsrc_image::{ImageError, Limits};
use rayon::prelude::*;

use crate::Item;

/// The images of a list that cannot be decoded: their places, and why. All are decoded once, on all
/// threads; drawn images are not, because they cannot fail.
pub fn unreadable(items: &[Item], limits: &Limits) -> Vec<(usize, ImageError)> {
    items
        .par_iter()
        .enumerate()
        .filter(|(_, item)| item.drawing.is_none())
        .filter_map(|(place, item)| Some((place, item.image(limits).err()?)))
        .collect()
}
