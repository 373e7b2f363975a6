//! Which images cannot be decoded, found before they are needed, or left out.

use std::sync::atomic::{AtomicUsize, Ordering};

use promptsrc_image::{ImageError, Limits};
use rayon::prelude::*;

use crate::error::listed;
use crate::{DataError, Item};

/// The images of a list that cannot be decoded: their places, and why. All are decoded once, on all
/// threads; drawn images are not, because they cannot fail. `progress` receives the number of decoded
/// images, from any thread.
pub fn unreadable(
    items: &[Item],
    limits: &Limits,
    progress: &(dyn Fn(usize) + Sync),
) -> Vec<(usize, ImageError)> {
    let done = AtomicUsize::new(0);
    items
        .par_iter()
        .enumerate()
        .filter(|(_, item)| item.drawing.is_none())
        .filter_map(|(place, item)| {
            let result = item.image(limits);
            progress(1 + done.fetch_add(1, Ordering::Relaxed));
            Some((place, result.err()?))
        })
        .collect()
}

/// Decides about images that cannot be decoded, of `wanted`: with `allow`, a warning; `None` where
/// there are none.
///
/// # Errors
/// [`DataError::Undecodable`] unless `allow`; [`DataError::NoneDecodable`] where no image is left.
pub fn unreadable_warning(
    errors: Vec<ImageError>,
    wanted: usize,
    allow: bool,
) -> Result<Option<String>, DataError> {
    if errors.is_empty() {
        return Ok(None);
    }
    if !allow {
        return Err(DataError::Undecodable { wanted, errors });
    }
    if errors.len() < wanted {
        return Ok(Some(format!(
            "{} of {wanted} images cannot be decoded and are left out:{}",
            errors.len(),
            listed(&errors)
        )));
    }
    match errors.into_iter().next() {
        Some(first) => Err(DataError::NoneDecodable {
            wanted,
            first: Box::new(first),
        }),
        None => Ok(None),
    }
}
