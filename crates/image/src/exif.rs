//! The EXIF orientation of an image, found and applied as Pillow's `ImageOps.exif_transpose` does.

use crate::{Image, ImageError};

/// The tag of the orientation.
const ORIENTATION: u16 = 0x0112;
/// The types of a whole number and their sizes: BYTE, SHORT, LONG.
const WHOLE_NUMBERS: [(u16, usize); 3] = [(1, 1), (3, 2), (4, 4)];
/// How XMP names the orientation, which Pillow reads where EXIF has none.
const IN_XMP: &[u8] = b"tiff:Orientation";

/// What a file says about its image besides the pixels.
#[derive(Default)]
pub(crate) struct Metadata {
    /// EXIF, which begins like a TIFF file.
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
}

impl Metadata {
    /// An image turned and mirrored as they say.
    pub(crate) fn turn(&self, image: Image) -> Result<Image, ImageError> {
        turned(image, self.orientation())
    }

    /// The orientation, from 1 (upright) to 8; 1 where there is none or it cannot be read.
    fn orientation(&self) -> u8 {
        let of_exif = self.exif.as_deref().and_then(in_exif);
        let value = of_exif.or_else(|| self.xmp.as_deref().and_then(in_xmp));
        match value {
            Some(value @ 1..=8) => value as u8,
            _ => 1,
        }
    }
}

/// The orientation in EXIF data: an entry of their first directory.
fn in_exif(data: &[u8]) -> Option<u32> {
    let data = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
    let is_little = match data.get(..4)? {
        b"II\x2a\0" => true,
        b"MM\0\x2a" => false,
        _ => return None,
    };
    let number = |place: usize, size: usize| -> Option<u32> {
        let bytes = data.get(place..place.checked_add(size)?)?;
        let join = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        Some(match is_little {
            true => bytes.iter().rev().fold(0, join),
            false => bytes.iter().fold(0, join),
        })
    };
    let directory = number(4, 4)? as usize;
    let entries = number(directory, 2)? as usize;
    let mut found = None;
    for entry in 0..entries {
        let place = directory.checked_add(2 + 12 * entry)?;
        let Some(tag) = number(place, 2) else { break };
        if tag as u16 != ORIENTATION {
            continue;
        }
        let kind = number(place + 2, 2)? as u16;
        let size = WHOLE_NUMBERS.iter().find(|(known, _)| *known == kind);
        if let (Some((_, size)), Some(1)) = (size, number(place + 4, 4)) {
            found = number(place + 8, *size);
        }
    }
    found
}

/// The orientation in XMP data: `tiff:Orientation="6"` or `<tiff:Orientation>6</...`.
fn in_xmp(data: &[u8]) -> Option<u32> {
    let mut rest = data;
    while let Some(place) = rest.windows(IN_XMP.len()).position(|w| w == IN_XMP) {
        rest = rest.get(place + IN_XMP.len()..)?;
        let value = rest.strip_prefix(b"=\"").or(rest.strip_prefix(b">"));
        if let Some(digit @ b'0'..=b'9') = value.and_then(<[u8]>::first) {
            return Some(u32::from(digit - b'0'));
        }
    }
    None
}

/// An image turned and mirrored as an orientation says.
fn turned(image: Image, orientation: u8) -> Result<Image, ImageError> {
    if !(2..=8).contains(&orientation) {
        return Ok(image);
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (new_width, new_height) = match orientation {
        5..=8 => (height, width),
        _ => (width, height),
    };
    let pixels = image.pixels();
    let mut new = Vec::with_capacity(pixels.len());
    for y in 0..new_height {
        for x in 0..new_width {
            // The place of the pixel in the stored image.
            let (column, row) = match orientation {
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (y, height - 1 - x),
                7 => (width - 1 - y, height - 1 - x),
                _ => (width - 1 - y, x),
            };
            let place = 3 * (row * width + column);
            new.extend_from_slice(pixels.get(place..place + 3).unwrap_or(&[0; 3]));
        }
    }
    Image::new(new_width as u32, new_height as u32, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF with an orientation of this type and these bytes.
    fn exif(is_little: bool, kind: u16, count: u32, value: [u8; 4]) -> Vec<u8> {
        let short = |n: u16| match is_little {
            true => n.to_le_bytes(),
            false => n.to_be_bytes(),
        };
        let long = |n: u32| match is_little {
            true => n.to_le_bytes(),
            false => n.to_be_bytes(),
        };
        let mut data = match is_little {
            true => b"II\x2a\0".to_vec(),
            false => b"MM\0\x2a".to_vec(),
        };
        data.extend(long(8));
        data.extend(short(1));
        data.extend(short(ORIENTATION));
        data.extend(short(kind));
        data.extend(long(count));
        data.extend(value);
        data.extend(long(0));
        data
    }

    fn orientation(exif: Option<Vec<u8>>, xmp: Option<&[u8]>) -> u8 {
        let xmp = xmp.map(<[u8]>::to_vec);
        Metadata { exif, xmp }.orientation()
    }

    #[test]
    fn orientations_are_found_in_either_byte_order_and_in_xmp() {
        assert_eq!(orientation(Some(exif(true, 3, 1, [6, 0, 0, 0])), None), 6);
        assert_eq!(orientation(Some(exif(false, 3, 1, [0, 8, 0, 0])), None), 8);
        assert_eq!(orientation(Some(exif(false, 4, 1, [0, 0, 0, 3])), None), 3);
        for xmp in [
            &b"<rdf:Description tiff:Orientation=\"7\"/>"[..],
            b"<tiff:Orientation>7</tiff:Orientation>",
        ] {
            assert_eq!(orientation(None, Some(xmp)), 7);
        }
        // EXIF's counts where there are both.
        let both = orientation(
            Some(exif(true, 3, 1, [2, 0, 0, 0])),
            Some(b"tiff:Orientation=\"7\""),
        );
        assert_eq!(both, 2);
    }

    #[test]
    fn what_is_no_orientation_leaves_the_image_as_it_is() {
        assert_eq!(orientation(Some(exif(true, 3, 1, [9, 0, 0, 0])), None), 1);
        assert_eq!(orientation(Some(exif(true, 3, 1, [0; 4])), None), 1);
        assert_eq!(orientation(Some(exif(true, 2, 1, [6, 0, 0, 0])), None), 1);
        let whole = exif(true, 3, 1, [6, 0, 0, 0]);
        for end in 0..whole.len() - 6 {
            assert_eq!(orientation(Some(whole[..end].to_vec()), None), 1, "{end}");
        }
        // A directory that is said to be far behind the end.
        let mut far = whole;
        far[4..8].fill(0xff);
        assert_eq!(orientation(Some(far), None), 1);
    }

    #[test]
    fn all_eight_orientations_turn_as_their_names_say() {
        // Two rows of three pixels: 1 2 3 / 4 5 6.
        let stored = || Image::new(3, 2, (1..=6).flat_map(|v| [v; 3]).collect()).unwrap();
        let expected: [(u32, [u8; 6]); 8] = [
            (3, [1, 2, 3, 4, 5, 6]),
            (3, [3, 2, 1, 6, 5, 4]),
            (3, [6, 5, 4, 3, 2, 1]),
            (3, [4, 5, 6, 1, 2, 3]),
            (2, [1, 4, 2, 5, 3, 6]),
            (2, [4, 1, 5, 2, 6, 3]),
            (2, [6, 3, 5, 2, 4, 1]),
            (2, [3, 6, 2, 5, 1, 4]),
        ];
        for (orientation, (width, values)) in (1..).zip(expected) {
            let image = turned(stored(), orientation).unwrap();
            let found: Vec<u8> = image.pixels().iter().step_by(3).copied().collect();
            assert_eq!(
                (image.width(), found.as_slice()),
                (width, values.as_slice()),
                "{orientation}"
            );
        }
    }
}
