//! Pillow's nearest-neighbour resizing, bit for bit.

use crate::{Crop, Image, ImageError};

/// The `window` of the `source` rectangle resized to `size`; both were checked.
pub(crate) fn resize_nearest(
    image: &Image,
    source: Crop,
    size: (u32, u32),
    window: Crop,
) -> Result<Image, ImageError> {
    let columns = sources(source.left, source.width, size.0, window.left, window.width);
    let rows = sources(source.top, source.height, size.1, window.top, window.height);
    let stride = 3 * image.width() as usize;
    let mut pixels = Vec::with_capacity(3 * columns.len() * rows.len());
    for row in rows {
        let row = row.and_then(|row| image.pixels().get(row as usize * stride..)?.get(..stride));
        for column in &columns {
            let at = column.map(|column| 3 * column as usize);
            let pixel = at.and_then(|at| row?.get(at..at + 3));
            pixels.extend_from_slice(pixel.unwrap_or(&[0; 3]));
        }
    }
    Image::new(window.width, window.height, pixels)
}

/// The source of each result of a window along one axis; `None` outside. Pillow adds up the distance
/// of the sources (`ImagingScaleAffine`), so the rounding of the sums belongs to the result.
fn sources(start: u32, from: u32, to: u32, first: u32, count: u32) -> Vec<Option<u32>> {
    let step = f64::from(from) / f64::from(to);
    let mut at = f64::from(start) + step * 0.5;
    let end = start + from;
    let mut sources = Vec::with_capacity(count as usize);
    for result in 0..first + count {
        if result >= first {
            let source = at as u32;
            sources.push((at >= 0.0 && source < end).then_some(source));
        }
        at += step;
    }
    sources
}
