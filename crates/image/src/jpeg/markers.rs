//! The markers of a JPEG, and the segments after them.

use super::error::FORMAT;
use crate::ImageError;

/// One marker with the segment that follows it.
pub(super) enum Marker<'a> {
    /// Start of frame `SOFn`: the coding process `n`, and the segment.
    Frame(u8, &'a [u8]),
    /// Start of scan; entropy-coded data follow.
    Scan(&'a [u8]),
    /// Any other segment.
    Other(u8, &'a [u8]),
    /// The end of the image.
    EndOfImage,
}

/// Walks from marker to marker, skipping stray bytes as libjpeg does.
#[derive(Clone)]
pub(super) struct Markers<'a> {
    rest: &'a [u8],
}

impl<'a> Markers<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What follows the last segment.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Skips bytes of [`rest`](Self::rest).
    pub(super) fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The next marker; an error where the bytes end before it.
    pub(super) fn next(&mut self) -> Result<Marker<'a>, ImageError> {
        self.step().ok_or(ImageError::Truncated(FORMAT))
    }

    /// Whether the markers lead to an end-of-image marker before the bytes end.
    pub(super) fn reach_end_of_image(mut self) -> bool {
        loop {
            match self.step() {
                Some(Marker::EndOfImage) => return true,
                Some(_) => {}
                None => return false,
            }
        }
    }

    fn step(&mut self) -> Option<Marker<'a>> {
        loop {
            // Entropy-coded data and stray bytes are skipped alike.
            let start = self.rest.iter().position(|b| *b == 0xff)?;
            self.advance(start);
            let fill = self.rest.iter().position(|b| *b != 0xff)?;
            let code = *self.rest.get(fill)?;
            self.advance(fill + 1);
            match code {
                // A stuffed zero, a temporary marker, a restart, a start of image: no segment.
                0x00 | 0x01 | 0xd0..=0xd7 | 0xd8 => continue,
                0xd9 => return Some(Marker::EndOfImage),
                _ => {}
            }
            let length = usize::from(u16::from_be_bytes(*self.rest.first_chunk()?)).max(2);
            let segment = self.rest.get(2..length)?;
            self.advance(length);
            return Some(match code {
                // 0xc4, 0xc8 and 0xcc, in the same range, are tables and an extension.
                0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                    Marker::Frame(code - 0xc0, segment)
                }
                0xda => Marker::Scan(segment),
                _ => Marker::Other(code, segment),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_image_inside_a_segment_does_not_count() {
        // An EXIF segment with a thumbnail holds an end-of-image marker of its own.
        let bytes = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd9, 0, 0, 0x12];
        assert!(!Markers::new(&bytes).reach_end_of_image());
        let whole = [&bytes[..], &[0xff, 0xff, 0xd9]].concat();
        assert!(Markers::new(&whole).reach_end_of_image());
        for end in 0..bytes.len() {
            assert!(!Markers::new(&bytes[..end]).reach_end_of_image());
        }
    }
}
