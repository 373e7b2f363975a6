//! The frame of a JPEG, its components, and their samples.

use super::error::{damaged, unsupported};
use super::headers::Headers;
use super::idct;
use crate::ImageError;

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
            return Err(unsupported(format!("{precision} bits per sample")));
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

impl FrameHeader {
    /// Fewest bits that the image can have: of each block one, or two where all of a block is in one scan.
    pub(super) fn least_bits(&self) -> u64 {
        let max = |place: usize| self.components.iter().map(|c| u64::from(c[place])).max();
        let (max_h, max_v) = (max(1).unwrap_or(1), max(2).unwrap_or(1));
        let blocks = |[_, h, v, _]: &[u8; 4]| {
            let width = (u64::from(self.width) * u64::from(*h)).div_ceil(max_h);
            let height = (u64::from(self.height) * u64::from(*v)).div_ceil(max_v);
            width.div_ceil(8) * height.div_ceil(8)
        };
        let blocks: u64 = self.components.iter().map(blocks).sum();
        blocks * if self.progressive { 1 } else { 2 }
    }
}

/// An image while it is being decoded.
pub(super) struct Frame {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) progressive: bool,
    pub(super) max_h: usize,
    pub(super) max_v: usize,
    /// Units of interleaved data per row, and rows of units.
    pub(super) units: (usize, usize),
    pub(super) components: Vec<Component>,
}

/// One component: luma, a chroma, an ink.
pub(super) struct Component {
    pub(super) id: u8,
    /// Horizontal and vertical sampling factor.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Samples per row, and rows, that belong to the image.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Blocks per row, and rows of blocks, padded to whole units.
    pub(super) blocks: (usize, usize),
    quantization_index: usize,
    /// The table in force at the component's first scan.
    pub(super) quantization: Option<[u16; 64]>,
    /// Samples, `8 * blocks.0` per row.
    pub(super) samples: Vec<u8>,
    /// Of a progressive image: all coefficients, block by block.
    pub(super) coefficients: Vec<[i16; 64]>,
}

impl Frame {
    /// Blocks of all components.
    pub(super) fn blocks(&self) -> u64 {
        let blocks = |c: &Component| c.blocks.0 as u64 * c.blocks.1 as u64;
        self.components.iter().map(blocks).sum()
    }

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
    /// Keeps the quantization table of the first scan, as the standard requires.
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

    /// Blocks per row, and rows of blocks, that belong to the image: what a scan of this component
    /// alone holds.
    pub(super) fn own_blocks(&self) -> (usize, usize) {
        (self.width.div_ceil(8), self.height.div_ceil(8))
    }

    /// Writes the samples of whole rows of blocks, beginning at block number `first`.
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
