//! The components of a JPEG to RGB pixels.

use super::frame::Frame;
use super::headers::Colors;
use super::upsample::Row;

/// Upsamples the planes row by row and converts them to interleaved RGB.
pub(super) fn to_rgb(frame: &Frame, colors: Colors) -> Vec<u8> {
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

/// One line of samples, one row per component, to RGB.
#[inline(always)]
fn convert(rows: &[Row], colors: Colors, line: &mut [u8]) {
    let line = line.as_chunks_mut::<3>().0;
    // All slices have this length, which avoids bounds checks within the loops.
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
