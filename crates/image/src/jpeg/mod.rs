//! JPEG decoding, bit for bit as libjpeg-turbo does it with its default settings.
//!
//! Pillow, and with it every published number of a CLIP, sees JPEG through libjpeg: its integer
//! inverse DCT ("islow"), its triangle-filtered ("fancy") chroma upsampling, its fixed-point colour
//! conversion. Other decoders are off by up to 7/255 where chroma is subsampled. So the arithmetic
//! is libjpeg's here, while the reading is plain, safe Rust. Baseline, extended and progressive
//! Huffman-coded images of 8 bits are read; Pillow reads few others (arithmetic coding). One thing
//! is left out: where the scans of a progressive image stop early, libjpeg smooths its blocks.

mod frame;
mod huffman;
mod idct;
mod scan;
mod standard;
mod upsample;

use crate::{Image, ImageError, Limits};
pub(crate) use frame::Colors;
use frame::{Frame, Headers, Marker, Markers};
use scan::Scan;
use upsample::Row;

pub(crate) const FORMAT: &str = "JPEG";

/// Decodes a JPEG.
///
/// Where entropy-coded data are corrupt but markers lead to the end of the image, the result is
/// libjpeg's, which warns and goes on.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, ImageError> {
    decode_as(bytes, limits, None)
}

/// Decodes a JPEG whose components are to be understood as `colors`, whatever it says itself.
pub(crate) fn decode_as(
    bytes: &[u8],
    limits: &Limits,
    colors: Option<Colors>,
) -> Result<Image, ImageError> {
    let mut frame: Option<Frame> = None;
    let mut headers = Headers::default();
    let mut markers = Markers::new(bytes);
    loop {
        match markers.next()? {
            Marker::EndOfImage => break,
            Marker::Frame(code, segment) => {
                if frame.is_some() {
                    return Err(damaged("a second frame header"));
                }
                let header = frame::FrameHeader::read(code, segment)?;
                limits.check(header.width.into(), header.height.into())?;
                // Before memory is taken: what is missing must not become a grey rest.
                if !markers.clone().reach_end_of_image() {
                    return Err(ImageError::Truncated(FORMAT));
                }
                frame = Some(Frame::new(header)?);
            }
            Marker::Scan(segment) => {
                let frame = frame
                    .as_mut()
                    .ok_or_else(|| damaged("a scan before its frame"))?;
                let scan = Scan::read(segment, frame)?;
                if !frame.progressive && scan.lacks_a_table(&headers) {
                    headers.add_standard_tables()?;
                }
                let read = scan.decode(markers.rest(), frame, &headers)?;
                markers.advance(read);
            }
            Marker::Other(code, segment) => headers.read(code, segment)?,
        }
    }
    let mut frame = frame.ok_or_else(|| damaged("no frame header"))?;
    frame.finish()?;
    let (width, height) = (frame.width, frame.height);
    let colors = colors.unwrap_or_else(|| headers.colors(&frame));
    Image::new(width as u32, height as u32, to_rgb(&frame, colors))
}

/// Upsamples the planes row by row and converts them to interleaved RGB.
fn to_rgb(frame: &Frame, colors: Colors) -> Vec<u8> {
    let mut pixels = vec![0; 3 * frame.width * frame.height];
    pulp::Arch::new().dispatch(ToRgb {
        frame,
        colors,
        pixels: &mut pixels,
    });
    pixels
}

/// The work of [`to_rgb`]; a type, because a closure would be compiled only once for all
/// instruction sets.
struct ToRgb<'a> {
    frame: &'a Frame,
    colors: Colors,
    pixels: &'a mut [u8],
}

impl pulp::WithSimd for ToRgb<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let frame = self.frame;
        let mut rows: Vec<Row> = frame.components.iter().map(|_| Row::default()).collect();
        for (y, line) in self.pixels.chunks_exact_mut(3 * frame.width).enumerate() {
            for (component, row) in frame.components.iter().zip(&mut rows) {
                row.fill(component, frame.max_h, frame.max_v, y, frame.width);
            }
            convert(&rows, self.colors, line);
        }
    }
}

/// One line of samples, a row a component, to RGB.
#[inline(always)]
fn convert(rows: &[Row], colors: Colors, line: &mut [u8]) {
    let line = line.as_chunks_mut::<3>().0;
    // Of equal length all, which spares the checks within the loops.
    let width = line.len();
    match rows {
        [grey] => {
            for (pixel, v) in line.iter_mut().zip(grey.first(width)) {
                *pixel = [*v; 3];
            }
        }
        [a, b, c] => {
            let samples = a
                .first(width)
                .iter()
                .zip(b.first(width))
                .zip(c.first(width));
            if colors == Colors::YCbCr {
                for (pixel, ((y, cb), cr)) in line.iter_mut().zip(samples) {
                    *pixel = ycbcr_to_rgb([*y, *cb, *cr]);
                }
            } else {
                for (pixel, ((r, g), b)) in line.iter_mut().zip(samples) {
                    *pixel = [*r, *g, *b];
                }
            }
        }
        [a, b, c, k] => {
            let samples = a
                .first(width)
                .iter()
                .zip(b.first(width))
                .zip(c.first(width))
                .zip(k.first(width));
            for (pixel, (((a, b), c), k)) in line.iter_mut().zip(samples) {
                let (three, k) = ([*a, *b, *c], *k);
                *pixel = match colors {
                    Colors::Ycck => inverted_cmyk_to_rgb(ycbcr_to_rgb(three).map(|v| 255 - v), k),
                    Colors::PlainCmyk => inverted_cmyk_to_rgb(three.map(|v| 255 - v), 255 - k),
                    // The fourth is alpha.
                    Colors::Rgb => three,
                    _ => inverted_cmyk_to_rgb(three, k),
                };
            }
        }
        // Frames have one, three or four components.
        _ => {}
    }
}

/// JFIF's conversion in libjpeg's 16-bit fixed point (`jdcolor.c`).
#[inline(always)]
fn ycbcr_to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let clip = |v: i32| v.clamp(0, 255) as u8;
    [
        clip(y + ((91_881 * cr + HALF) >> 16)),
        clip(y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16)),
        clip(y + ((116_130 * cb + HALF) >> 16)),
    ]
}

/// Pillow's naive CMYK conversion of samples that are stored inverted, as Adobe's are; Pillow
/// assumes it of every JPEG with four components.
#[inline(always)]
pub(crate) fn inverted_cmyk_to_rgb(inks: [u8; 3], k: u8) -> [u8; 3] {
    inks.map(|ink| {
        let product = u32::from(255 - ink) * u32::from(k) + 128;
        k.saturating_sub(((product + (product >> 8)) >> 8) as u8)
    })
}

/// The error of data that contradict the format.
fn damaged(reason: &str) -> ImageError {
    ImageError::Damaged {
        format: FORMAT,
        reason: reason.to_string(),
    }
}

/// The error of data that are right but not read here.
fn unsupported(reason: String) -> ImageError {
    ImageError::Unsupported {
        format: FORMAT,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_at_the_ends_of_the_range_are_exact() {
        assert_eq!(ycbcr_to_rgb([255, 128, 128]), [255; 3]);
        assert_eq!(ycbcr_to_rgb([0, 128, 128]), [0; 3]);
        assert_eq!(ycbcr_to_rgb([76, 85, 255]), [254, 0, 0]);
        assert_eq!(inverted_cmyk_to_rgb([255; 3], 255), [255; 3]);
        assert_eq!(inverted_cmyk_to_rgb([0, 255, 128], 255), [0, 255, 128]);
    }
}
