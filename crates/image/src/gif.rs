//! GIF: the first frame of a file, on a canvas as large as Pillow makes it.

use std::num::NonZeroU64;

use crate::{Image, ImageError, Limits};

const FORMAT: &str = "GIF";

/// Decodes the first frame.
///
/// As in Pillow, the canvas grows where the frame reaches beyond it, and pixels outside the frame
/// have the transparent colour, or the first of the palette where none is transparent. Transparency
/// itself is dropped.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, ImageError> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    if let Some(limit) = NonZeroU64::new(limits.max_pixels) {
        options.set_memory_limit(gif::MemoryLimit::Bytes(limit));
    }
    let mut decoder = options.read_info(bytes).map_err(explain)?;
    let frame = decoder
        .next_frame_info()
        .map_err(explain)?
        .ok_or(ImageError::Truncated(FORMAT))?;
    let [left, top, frame_width, frame_height] =
        [frame.left, frame.top, frame.width, frame.height].map(u32::from);
    let background = frame.transparent.unwrap_or(0);
    limits.check_pixels(frame_width, frame_height)?;
    let width = u32::from(decoder.width()).max(left + frame_width);
    let height = u32::from(decoder.height()).max(top + frame_height);
    limits.check_pixels(width, height)?;

    let mut colors = [[0; 3]; 256];
    let palette = decoder.palette().map_err(explain)?.as_chunks::<3>().0;
    for (color, entry) in colors.iter_mut().zip(palette) {
        *color = *entry;
    }
    let mut indices = vec![0; frame_width as usize * frame_height as usize];
    decoder.read_into_buffer(&mut indices).map_err(explain)?;

    let stride = 3 * width as usize;
    let mut pixels = colors[usize::from(background)].repeat(width as usize * height as usize);
    let rows = pixels.chunks_exact_mut(stride).skip(top as usize);
    for (row, indices) in rows.zip(indices.chunks_exact(frame_width as usize)) {
        let places = row.as_chunks_mut::<3>().0.iter_mut().skip(left as usize);
        for (place, index) in places.zip(indices) {
            *place = colors[usize::from(*index)];
        }
    }
    Image::new(width, height, pixels)
}

fn explain(error: gif::DecodingError) -> ImageError {
    use gif::DecodingError::{Io, UnexpectedEof};
    match error {
        UnexpectedEof => ImageError::Truncated(FORMAT),
        Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => ImageError::Truncated(FORMAT),
        other => ImageError::damaged(FORMAT, other),
    }
}
