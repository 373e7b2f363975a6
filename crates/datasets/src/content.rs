//! Hashes of what image files contain, by which an image is known again under any name.

use std::io;

use rayon::prelude::*;

use crate::Item;

/// A hash of each image's content: the first 64 bits of the BLAKE3 hash of its file; of an image in memory, of the PNG
/// file that it would be saved as. `None` where the file cannot be read, which loading it reports. The files are
/// read on all threads.
pub fn content_hashes(items: &[Item]) -> Vec<Option<u64>> {
    items
        .par_iter()
        .map(|item| content_hash(item).ok())
        .collect()
}

fn content_hash(item: &Item) -> io::Result<u64> {
    let mut hasher = blake3::Hasher::new();
    match &item.drawing {
        Some(drawing) => {
            hasher.update(&drawing.draw().png()?);
        }
        None => {
            hasher.update_reader(promptsrc_files::open_regular(&item.path)?)?;
        }
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    Ok(u64::from_be_bytes(first))
}
