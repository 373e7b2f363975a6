//! A JPEG's segments: markers, tables, the frame and its components.

use super::huffman::Huffman;
use super::{FORMAT, damaged, idct, standard, unsupported};
use crate::ImageError;

/// Coefficients in the order of the file -> place in the block, row by row.
///
/// The entries past the 64th catch runs that corrupt data lead out of the block.
pub(super) const ZIGZAG: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
];

/// One marker with the segment that follows it.
pub(super) enum Marker<'a> {
    /// Start of frame `SOFn`: the coding process `n`, and the segment.
    Frame(u8, &'a [u8]),
    /// Start of scan; entropy-coded data follow.
    Scan(&'a [u8]),
    /// Any other segment.
    Other(u8, &'a [u8]),
    /// The regular end.
    EndOfImage,
}

/// Walks from marker to marker, passing over stray bytes as libjpeg does.
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

    /// Passes over bytes of [`rest`](Self::rest).
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
            // Entropy-coded data and stray bytes are passed over like each other.
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

/// How the components are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colors {
    Grey,
    YCbCr,
    Rgb,
    /// Inks that are stored inverted, as Pillow takes those of every JPEG file to be.
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
    /// Takes in a segment that is neither frame nor scan.
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

    /// libjpeg's guess (`default_decompress_parms`).
    pub(super) fn colors(&self, frame: &Frame) -> Colors {
        let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
        match (ids.len(), self.adobe_transform) {
            (1, _) => Colors::Grey,
            (3, _) if self.jfif => Colors::YCbCr,
            (3, Some(0)) => Colors::Rgb,
            (3, None) if ids == *b"RGB" => Colors::Rgb,
            (3, _) => Colors::YCbCr,
            (_, None | Some(0)) => Colors::Cmyk,
            _ => Colors::Ycck,
        }
    }
}

/// A frame segment, checked.
pub(super) struct FrameHeader {
    pub(super) width: u16,
    pub(super) height: u16,
    progressive: bool,
    /// Identifier, horizontal and vertical sampling factor, quantization table.
    components: Vec<[u8; 4]>,
}

impl FrameHeader {
    pub(super) fn read(process: u8, segment: &[u8]) -> Result<Self, ImageError> {
        match process {
            0..=2 => {}
            3 | 7 | 11 | 15 => return Err(unsupported("lossless coding".into())),
            5 | 6 => return Err(unsupported("hierarchical coding".into())),
            _ => return Err(unsupported("arithmetic coding".into())),
        }
        let ([precision, h1, h0, w1, w0, count], rest) = segment
            .split_first_chunk::<6>()
            .ok_or_else(|| damaged("a short frame header"))?;
        if *precision != 8 {
            return Err(unsupported(format!("{precision} bits a sample")));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(unsupported(format!("{count} components")));
        }
        let components: Vec<[u8; 4]> = rest
            .as_chunks::<3>()
            .0
            .iter()
            .take((*count).into())
            .map(|[id, sampling, table]| [*id, sampling >> 4, sampling & 15, *table])
            .collect();
        if components.len() != usize::from(*count) {
            return Err(damaged("a short frame header"));
        }
        if components
            .iter()
            .any(|[_, h, v, _]| !matches!((h, v), (1..=4, 1..=4)))
        {
            return Err(damaged("a sampling factor that is not 1 to 4"));
        }
        Ok(Self {
            width: u16::from_be_bytes([*w1, *w0]),
            height: u16::from_be_bytes([*h1, *h0]),
            progressive: process == 2,
            components,
        })
    }
}

/// The image as it is being read.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) progressive: bool,
    pub(super) max_h: usize,
    pub(super) max_v: usize,
    /// Units of interleaved data a row, and rows of them.
    pub(super) units: (usize, usize),
    pub(super) components: Vec<Component>,
}

/// One component: luma, a chroma, an ink.
pub(super) struct Component {
    pub(super) id: u8,
    /// Horizontal and vertical sampling factor.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Samples a row and rows that belong to the image.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks a row and rows of blocks, padded to whole units.
    pub(super) blocks: (usize, usize),
    quantization_index: usize,
    /// The table in force at the component's first scan.
    pub(super) quantization: Option<[u16; 64]>,
    /// Samples, `8 * blocks.0` a row.
    pub(super) samples: Vec<u8>,
    /// Of a progressive image: all coefficients, block by block.
    pub(super) coefficients: Vec<[i16; 64]>,
}

impl Frame {
    pub(super) fn new(header: FrameHeader) -> Result<Self, ImageError> {
        let (width, height) = (usize::from(header.width), usize::from(header.height));
        let max = |place: usize| {
            header
                .components
                .iter()
                .map(|c| usize::from(c[place]))
                .max()
                .unwrap_or(1)
        };
        let (max_h, max_v) = (max(1), max(2));
        let units = (width.div_ceil(8 * max_h), height.div_ceil(8 * max_v));
        let mut components = Vec::with_capacity(header.components.len());
        for [id, h, v, table] in header.components {
            let (h, v) = (usize::from(h), usize::from(v));
            if max_h % h != 0 || max_v % v != 0 {
                return Err(unsupported("a fractional sampling ratio".into()));
            }
            let blocks = (units.0 * h, units.1 * v);
            let count = blocks.0 * blocks.1;
            components.push(Component {
                id,
                h,
                v,
                width: (width * h).div_ceil(max_h),
                height: (height * v).div_ceil(max_v),
                blocks,
                quantization_index: table.into(),
                quantization: None,
                samples: vec![0; 64 * count],
                coefficients: if header.progressive {
                    vec![[0; 64]; count]
                } else {
                    Vec::new()
                },
            });
        }
        let progressive = header.progressive;
        Ok(Self {
            width,
            height,
            progressive,
            max_h,
            max_v,
            units,
            components,
        })
    }

    /// Turns a progressive image's coefficients into samples; checks that nothing is missing.
    pub(super) fn finish(&mut self) -> Result<(), ImageError> {
        for component in &mut self.components {
            if component.quantization.is_none() {
                return Err(damaged("no scan of one of its components"));
            }
            let coefficients = std::mem::take(&mut component.coefficients);
            component.put(0, &coefficients);
        }
        Ok(())
    }
}

impl Component {
    /// Keeps the quantization table of the first scan, as the standard asks.
    pub(super) fn begin(&mut self, headers: &Headers) -> Result<(), ImageError> {
        if self.quantization.is_none() {
            let table = headers
                .quantization
                .get(self.quantization_index)
                .copied()
                .flatten();
            self.quantization = Some(table.ok_or_else(|| damaged("a missing quantization table"))?);
        }
        Ok(())
    }

    /// Blocks a row and rows of blocks that belong to the image: all of a scan of its own.
    pub(super) fn own_blocks(&self) -> (usize, usize) {
        (self.width.div_ceil(8), self.height.div_ceil(8))
    }

    /// Writes the samples of whole rows of blocks, of which the first block has that index.
    pub(super) fn put(&mut self, first: usize, blocks: &[[i16; 64]]) {
        let Some(table) = &self.quantization else {
            return;
        };
        pulp::Arch::new().dispatch(Inverse {
            blocks,
            columns: self.blocks.0,
            table,
            samples: self.samples.get_mut(64 * first..).unwrap_or_default(),
        });
    }
}

/// The inverse transform of rows of blocks; a type, because a closure would be compiled only once
/// for all instruction sets.
struct Inverse<'a> {
    blocks: &'a [[i16; 64]],
    columns: usize,
    table: &'a [u16; 64],
    samples: &'a mut [u8],
}

impl pulp::WithSimd for Inverse<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let stride = 8 * self.columns;
        let rows = self.samples.chunks_mut(8 * stride);
        for (row, blocks) in rows.zip(self.blocks.chunks(self.columns)) {
            for (column, block) in blocks.iter().enumerate() {
                let place = row.get_mut(8 * column..).unwrap_or_default();
                idct::inverse(block, self.table, place, stride);
            }
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

    #[test]
    fn the_zigzag_visits_every_place_once() {
        let mut places: Vec<u8> = ZIGZAG[..64].to_vec();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..64));
    }
}
