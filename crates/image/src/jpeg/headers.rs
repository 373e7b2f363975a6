//! What a JPEG's segments say before a scan: tables, restart interval, colours.

use super::error::{damaged, unsupported};
use super::huffman::Huffman;
use super::standard;
use crate::ImageError;

/// Coefficients in the order of the file -> place in the block, row by row.
///
/// Entries past the 64th are for corrupt data, whose runs may lead out of the block.
pub(super) const ZIGZAG: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
];

/// What the components are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colors {
    Grey,
    YCbCr,
    Rgb,
    /// Inks that are stored inverted, as Pillow assumes of every JPEG file.
    Cmyk,
    /// Inks as they are, as in TIFF files.
    PlainCmyk,
    Ycck,
}

/// What the segments before a scan have set.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) quantization: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Huffman>; 4],
    pub(super) ac: [Option<Huffman>; 4],
    /// Units between restart markers; 0 for none.
    pub(super) restart_interval: usize,
    jfif: bool,
    adobe_transform: Option<u8>,
}

impl Headers {
    /// Reads a segment that is neither frame nor scan.
    pub(super) fn read(&mut self, code: u8, segment: &[u8]) -> Result<(), ImageError> {
        match code {
            0xc4 => self.read_huffman(segment),
            0xdb => self.read_quantization(segment),
            0xdd => {
                let [high, low] = segment
                    .first_chunk()
                    .ok_or_else(|| damaged("a short restart interval"))?;
                self.restart_interval = usize::from(u16::from_be_bytes([*high, *low]));
                Ok(())
            }
            0xe0 => {
                self.jfif |= segment.starts_with(b"JFIF\0");
                Ok(())
            }
            0xee => {
                if segment.starts_with(b"Adobe") && segment.len() >= 12 {
                    self.adobe_transform = segment.get(11).copied();
                }
                Ok(())
            }
            0xcc => Err(unsupported("arithmetic coding".into())),
            _ => Ok(()),
        }
    }

    fn read_quantization(&mut self, mut segment: &[u8]) -> Result<(), ImageError> {
        let short = || damaged("a short quantization table");
        while let Some((kind, rest)) = segment.split_first() {
            let width = if kind >> 4 == 0 { 1 } else { 2 };
            let values = rest.get(..64 * width).ok_or_else(short)?;
            let slot = self
                .quantization
                .get_mut(usize::from(kind & 15))
                .ok_or_else(|| damaged("a quantization table of number above 3"))?;
            let mut table = [0; 64];
            for (value, place) in values.chunks_exact(width).zip(ZIGZAG) {
                table[usize::from(place)] = value
                    .iter()
                    .fold(0, |high, low| high << 8 | u16::from(*low));
            }
            *slot = Some(table);
            segment = rest.get(64 * width..).unwrap_or_default();
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut segment: &[u8]) -> Result<(), ImageError> {
        let bad = || damaged("a bad Huffman table");
        while let Some((kind, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(bad)?;
            let total = counts.iter().map(|c| usize::from(*c)).sum();
            let symbols = rest.get(..total).ok_or_else(bad)?;
            let class = match kind >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(bad()),
            };
            let slot = class.get_mut(usize::from(kind & 15)).ok_or_else(bad)?;
            *slot = Some(Huffman::new(counts, symbols).ok_or_else(bad)?);
            segment = rest.get(total..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sets the standard's Huffman tables where the file has set none, as libjpeg does.
    pub(super) fn add_standard_tables(&mut self) -> Result<(), ImageError> {
        let mut standard = Self::default();
        standard.read_huffman(&standard::HUFFMAN_TABLES)?;
        let own = self.dc.iter_mut().chain(&mut self.ac);
        for (own, standard) in own.zip(standard.dc.into_iter().chain(standard.ac)) {
            if own.is_none() {
                *own = standard;
            }
        }
        Ok(())
    }

    /// libjpeg's guess (`default_decompress_parms`), from the identifiers of the components.
    pub(super) fn colors(&self, ids: &[u8]) -> Colors {
        match (ids.len(), self.adobe_transform) {
            (1, _) => Colors::Grey,
            (3, _) if self.jfif => Colors::YCbCr,
            (3, Some(0)) => Colors::Rgb,
            (3, None) if ids == b"RGB" => Colors::Rgb,
            (3, _) => Colors::YCbCr,
            (_, None | Some(0)) => Colors::Cmyk,
            _ => Colors::Ycck,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zigzag_visits_every_place_once() {
        let mut places: Vec<u8> = ZIGZAG[..64].to_vec();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..64));
    }
}
