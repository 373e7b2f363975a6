//! Images that Python gives: files, or pixels in memory.

use std::path::PathBuf;
use std::sync::Arc;

use promptsrc::{Drawing, Image, Item};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::errors;

/// An image: a file, or `(width, height, bytes)` of RGB.
#[derive(FromPyObject)]
pub enum Given {
    /// A file.
    File(PathBuf),
    /// Pixels.
    Memory(u32, u32, PyBackedBytes),
}

/// The images as items of the libraries, with their labels if there are any. Pixels get a name of their
/// own, by their place and content.
///
/// # Errors
/// Where the pixels are not as many as the size says.
pub fn items(images: Vec<Given>, labels: &[usize], upright: bool) -> PyResult<Vec<Item>> {
    let item = |(place, given)| {
        let label = labels.get(place).copied().unwrap_or_default();
        Ok(match given {
            Given::File(path) => Item::new(path, label).upright(upright),
            Given::Memory(width, height, bytes) => {
                let hash = blake3::hash(&bytes).to_hex();
                let name = format!("memory/{place:06}-{}", &hash.as_str()[..16]);
                let image = Image::new(width, height, bytes.to_vec()).map_err(errors::of)?;
                let image = Arc::new(image);
                Item::drawn(name, label, Drawing::new(move || (*image).clone()))
            }
        })
    };
    images.into_iter().enumerate().map(item).collect()
}
