//! TIFF: the first image of a file, as Pillow reads it.

use std::fmt::Display;
use std::io::Cursor;

use tiff::decoder::{BufferLayoutPreference, Decoder};
use tiff::tags::{SampleFormat, Tag};
use tiff::{ColorType, TiffError};

use crate::jpeg::{self, Colors};
use crate::{Image, ImageError, Limits};

const FORMAT: &str = "TIFF";

/// Values of `PhotometricInterpretation`.
const WHITE_IS_ZERO: u16 = 0;
const BLACK_IS_ZERO: u16 = 1;
const RGB: u16 = 2;
const PALETTE: u16 = 3;
const CMYK: u16 = 5;
const YCBCR: u16 = 6;

type Source<'a> = Decoder<Cursor<&'a [u8]>>;

/// Decodes the first image.
///
/// The orientation tag is applied, as Pillow does for TIFF and for no other format.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, ImageError> {
    if has_endless_text(bytes) {
        return Err(ImageError::damaged(FORMAT, "a text longer than the file"));
    }
    let mut source = open(bytes, limits)?;
    let (width, height) = source.dimensions().map_err(explain)?;
    limits.check_pixels(width, height)?;
    let tags = Tags::read(&mut source)?;

    let pixels = if tags.is_jpeg {
        if tags.planar == 2 {
            return Err(unsupported("JPEG data in separate planes"));
        }
        jpeg_chunks(&mut source, bytes, (width, height), &tags, limits)?
    } else if matches!(tags.photometric, WHITE_IS_ZERO | PALETTE) {
        // The decoder does not read palettes, and inverts grey by other rules than Pillow.
        let grey = as_black_is_zero(bytes).ok_or_else(|| unsupported("a palette in a big TIFF"))?;
        let mut source = open(&grey, limits)?;
        plain(&mut source, (width, height), &tags, limits)?
    } else {
        plain(&mut source, (width, height), &tags, limits)?
    };
    orient(width, height, pixels, tags.orientation)
}

/// Whether an entry of the first directory claims a text that is longer than the file. The decoder would make
/// room for it, or print where it was compiled.
fn has_endless_text(bytes: &[u8]) -> bool {
    const TEXT: u64 = 2;
    let is_little = bytes.starts_with(b"II");
    let number = |at: usize, size: usize| -> Option<u64> {
        let digits = bytes.get(at..at.checked_add(size)?)?;
        let join = |value: u64, digit: &u8| (value << 8) | u64::from(*digit);
        Some(match is_little {
            true => digits.iter().rev().fold(0, join),
            false => digits.iter().fold(0, join),
        })
    };
    let is_big = number(2, 2) == Some(43);
    // Sizes of an offset, of the number of entries and of an entry; where its number of values is.
    let (offset, length, entry) = if is_big { (8, 8, 20) } else { (4, 2, 12) };
    let directory = || {
        let start = usize::try_from(number(if is_big { 8 } else { 4 }, offset)?).ok()?;
        let entries = number(start, length)?;
        Some((start.checked_add(length)?, entries))
    };
    let Some((first, entries)) = directory() else {
        return false; // The decoder says so.
    };
    (0..entries)
        .map_while(|i| first.checked_add(entry * usize::try_from(i).ok()?))
        .map_while(|at| {
            Some((
                number(at.checked_add(2)?, 2)?,
                number(at.checked_add(4)?, offset)?,
            ))
        })
        .any(|(kind, count)| kind == TEXT && count > bytes.len() as u64)
}

fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, ImageError> {
    let mut own = tiff::decoder::Limits::default();
    own.decoding_buffer_size = usize::try_from(memory_limit(limits)).unwrap_or(usize::MAX);
    own.intermediate_buffer_size = own.decoding_buffer_size;
    own.ifd_value_size = own.ifd_value_size.max(bytes.len());
    Ok(Decoder::new(Cursor::new(bytes))
        .map_err(explain)?
        .with_limits(own))
}

/// Largest size of the samples in bytes: four samples of 32 bits per pixel.
fn memory_limit(limits: &Limits) -> u64 {
    limits.max_pixels.saturating_mul(16)
}

/// The tags that the decoder does not apply as Pillow does.
struct Tags {
    photometric: u16,
    orientation: u16,
    planar: u16,
    is_jpeg: bool,
    has_associated_alpha: bool,
    /// Red, green and blue of each palette entry.
    palette: Vec<[u8; 3]>,
}

impl Tags {
    fn read(source: &mut Source<'_>) -> Result<Self, ImageError> {
        let mut number = |tag, default| {
            let value = source.find_tag_unsigned::<u16>(tag).map_err(explain)?;
            Ok::<u16, ImageError>(value.unwrap_or(default))
        };
        let mut tags = Self {
            photometric: number(Tag::PhotometricInterpretation, BLACK_IS_ZERO)?,
            orientation: number(Tag::Orientation, 1)?,
            planar: number(Tag::PlanarConfiguration, 1)?,
            is_jpeg: number(Tag::Compression, 1)? == 7,
            has_associated_alpha: false,
            palette: Vec::new(),
        };
        if number(Tag::FillOrder, 1)? != 1 {
            return Err(unsupported("its bits are in reversed order (FillOrder)"));
        }
        let mut numbers = |tag| {
            let values = source.find_tag_unsigned_vec::<u16>(tag).map_err(explain)?;
            Ok::<Vec<u16>, ImageError>(values.unwrap_or_default())
        };
        tags.has_associated_alpha = numbers(Tag::ExtraSamples)?.first() == Some(&1);
        if tags.photometric == PALETTE {
            let map = numbers(Tag::ColorMap)?;
            let (red, rest) = map.split_at(map.len() / 3);
            let (green, blue) = rest.split_at(rest.len() / 2);
            let high = |v: &u16| (v >> 8) as u8;
            tags.palette = red
                .iter()
                .zip(green.iter().zip(blue))
                .map(|(r, (g, b))| [high(r), high(g), high(b)])
                .collect();
            // A byte may be beyond the palette; Pillow makes it black.
            tags.palette.resize(tags.palette.len().max(256), [0; 3]);
        }
        Ok(tags)
    }
}

/// The file with its first image declared as grey with black as 0; `None` if it is a big TIFF.
fn as_black_is_zero(bytes: &[u8]) -> Option<Vec<u8>> {
    let big_endian = bytes.starts_with(b"MM");
    let short = |place: usize| {
        let bytes = *bytes.get(place..)?.first_chunk()?;
        Some(if big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    if short(2)? != 42 {
        return None;
    }
    let directory = *bytes.get(4..)?.first_chunk()?;
    let directory = if big_endian {
        u32::from_be_bytes(directory)
    } else {
        u32::from_le_bytes(directory)
    };
    let directory = usize::try_from(directory).ok()?;
    let entry = (0..usize::from(short(directory)?))
        .map(|n| directory.saturating_add(2 + 12 * n))
        .find(|entry| short(*entry) == Some(Tag::PhotometricInterpretation.to_u16()))?;
    let value = if big_endian {
        BLACK_IS_ZERO.to_be_bytes()
    } else {
        BLACK_IS_ZERO.to_le_bytes()
    };
    let mut changed = bytes.to_vec();
    changed
        .get_mut(entry.checked_add(8)?..)?
        .first_chunk_mut()
        .map(|place| *place = value)?;
    Some(changed)
}

/// Reads samples of any compression but JPEG and converts them to RGB.
fn plain(
    source: &mut Source<'_>,
    (width, height): (u32, u32),
    tags: &Tags,
    limits: &Limits,
) -> Result<Vec<u8>, ImageError> {
    let color = source.colortype().map_err(explain)?;
    let layout = source.image_buffer_layout().map_err(explain)?;
    if layout.complete_len as u64 > memory_limit(limits) {
        return Err(unsupported("its samples take more memory than the limit"));
    }
    let mut raw = vec![0; layout.complete_len];
    source.read_image_bytes(&mut raw).map_err(explain)?;
    let bits = color.bit_depth();
    let signed_or_float = layout.sample_format != SampleFormat::Uint;
    let other = || {
        unsupported(format!(
            "its pixels are {color:?} {:?}",
            layout.sample_format
        ))
    };

    if layout.planes > 1 {
        raw = interleave(&raw, &layout, usize::from(bits / 8)).ok_or_else(other)?;
    }
    let grey_to_rgb = |grey: Vec<u8>| grey.into_iter().flat_map(|v| [v; 3]).collect();
    let pixels: Vec<u8> = match (color, layout.sample_format) {
        (ColorType::Gray(1 | 2 | 4), SampleFormat::Uint) => {
            let row_bytes = (width as usize * usize::from(bits)).div_ceil(8);
            let samples = unpack(&raw, width as usize, row_bytes, bits);
            let most = u8::MAX >> (8 - bits);
            let scale = if tags.photometric == PALETTE {
                1
            } else {
                255 / most
            };
            shades(samples.into_iter().map(|v| v * scale), tags)
        }
        (ColorType::Gray(8), SampleFormat::Uint | SampleFormat::Int) => {
            shades(raw.into_iter(), tags)
        }
        // Grey, or a palette, with alpha.
        (
            ColorType::Multiband {
                bit_depth: 8,
                num_samples: samples @ 2..,
            },
            SampleFormat::Uint,
        ) => shades(raw.into_iter().step_by(samples.into()), tags),
        _ if tags.photometric == PALETTE => return Err(other()),
        // Wider grey is clipped, not scaled.
        (ColorType::Gray(16), SampleFormat::Uint) => {
            let clip = |v: &[u8; 2]| u16::from_ne_bytes(*v).min(255) as u8;
            grey_to_rgb(raw.as_chunks().0.iter().map(clip).collect())
        }
        (ColorType::Gray(16), SampleFormat::Int) => {
            let clip = |v: &[u8; 2]| i16::from_ne_bytes(*v).clamp(0, 255) as u8;
            grey_to_rgb(raw.as_chunks().0.iter().map(clip).collect())
        }
        (ColorType::Gray(32), SampleFormat::Uint | SampleFormat::Int) => {
            let clip = |v: &[u8; 4]| i32::from_ne_bytes(*v).clamp(0, 255) as u8;
            grey_to_rgb(raw.as_chunks().0.iter().map(clip).collect())
        }
        (ColorType::Gray(32), SampleFormat::IEEEFP) => {
            // The cast cuts off fractions and clips.
            let clip = |v: &[u8; 4]| f32::from_ne_bytes(*v) as u8;
            grey_to_rgb(raw.as_chunks().0.iter().map(clip).collect())
        }
        _ if signed_or_float => return Err(other()),
        _ => {
            let samples = match bits {
                8 => raw,
                16 => {
                    let high = |v: &[u8; 2]| (u16::from_ne_bytes(*v) >> 8) as u8;
                    raw.as_chunks().0.iter().map(high).collect()
                }
                _ => return Err(other()),
            };
            colors(samples, color, tags).ok_or_else(other)?
        }
    };
    if pixels.len() as u64 != 3 * u64::from(width) * u64::from(height) {
        return Err(other());
    }
    Ok(pixels)
}

/// Interleaves the samples of planes that lie one after the other.
fn interleave(raw: &[u8], layout: &BufferLayoutPreference, sample: usize) -> Option<Vec<u8>> {
    let stride = layout.plane_stride?.get();
    if sample == 0 {
        return None;
    }
    let mut result = vec![0; stride * layout.planes];
    for (plane, samples) in raw.chunks_exact(stride).enumerate() {
        let places = result.chunks_exact_mut(sample).skip(plane);
        for (place, sample) in places
            .step_by(layout.planes)
            .zip(samples.chunks_exact(sample))
        {
            place.copy_from_slice(sample);
        }
    }
    Some(result)
}

/// Unpacks samples of 1, 2 or 4 bits, highest bits first, to one sample per byte.
fn unpack(raw: &[u8], width: usize, row_bytes: usize, bits: u8) -> Vec<u8> {
    let in_byte = usize::from(8 / bits);
    let mask = u8::MAX >> (8 - bits);
    raw.chunks_exact(row_bytes)
        .flat_map(|row| {
            let samples = row.iter().flat_map(move |byte| {
                (0..in_byte).map(move |n| byte >> (8 - bits as usize * (n + 1)) & mask)
            });
            samples.take(width)
        })
        .collect()
}

/// Grey or palette indices to RGB.
fn shades(samples: impl Iterator<Item = u8>, tags: &Tags) -> Vec<u8> {
    match tags.photometric {
        PALETTE => samples
            .flat_map(|v| {
                tags.palette
                    .get(usize::from(v))
                    .copied()
                    .unwrap_or_default()
            })
            .collect(),
        WHITE_IS_ZERO => samples.flat_map(|v| [255 - v; 3]).collect(),
        _ => samples.flat_map(|v| [v; 3]).collect(),
    }
}

/// Colour samples of 8 bits to RGB; `None` for kinds that are not supported.
fn colors(samples: Vec<u8>, color: ColorType, tags: &Tags) -> Option<Vec<u8>> {
    let inks =
        |[c, m, y, k]: [u8; 4]| jpeg::inverted_cmyk_to_rgb([255 - c, 255 - m, 255 - y], 255 - k);
    Some(match color {
        ColorType::RGB(_) => samples,
        ColorType::RGBA(_) => {
            let pixels = samples.as_chunks::<4>().0.iter();
            if tags.has_associated_alpha {
                pixels.flat_map(|p| undo_alpha(*p)).collect()
            } else {
                pixels.flat_map(|[r, g, b, _]| [*r, *g, *b]).collect()
            }
        }
        ColorType::CMYK(_) => samples
            .as_chunks()
            .0
            .iter()
            .flat_map(|p| inks(*p))
            .collect(),
        ColorType::CMYKA(_) => {
            let pixels = samples.as_chunks::<5>().0.iter();
            pixels
                .flat_map(|[c, m, y, k, _]| inks([*c, *m, *y, *k]))
                .collect()
        }
        _ => return None,
    })
}

/// Undoes the multiplication of a colour by its alpha.
fn undo_alpha([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    let undo = |v: u8| match alpha {
        0 => 0,
        _ => (255 * u32::from(v) / u32::from(alpha)).min(255) as u8,
    };
    [undo(r), undo(g), undo(b)]
}

/// Decodes JPEG strips or tiles as JPEG files are decoded.
fn jpeg_chunks(
    source: &mut Source<'_>,
    bytes: &[u8],
    (width, height): (u32, u32),
    tags: &Tags,
    limits: &Limits,
) -> Result<Vec<u8>, ImageError> {
    let colors = match tags.photometric {
        WHITE_IS_ZERO | BLACK_IS_ZERO => Colors::Grey,
        RGB => Colors::Rgb,
        YCBCR => Colors::YCbCr,
        CMYK => Colors::PlainCmyk,
        _ => {
            return Err(unsupported(
                "JPEG data that are not grey, RGB, YCbCr or CMYK",
            ));
        }
    };
    if tags.has_associated_alpha {
        return Err(unsupported("JPEG data that are multiplied by alpha"));
    }
    let mut numbers = |tag| {
        let values = source.find_tag_unsigned_vec::<u64>(tag).map_err(explain)?;
        Ok::<Vec<u64>, ImageError>(values.unwrap_or_default())
    };
    let mut offsets = numbers(Tag::TileOffsets)?;
    let mut counts = numbers(Tag::TileByteCounts)?;
    if offsets.is_empty() {
        offsets = numbers(Tag::StripOffsets)?;
        counts = numbers(Tag::StripByteCounts)?;
    }
    let tables = match source.find_tag(Tag::JPEGTables).map_err(explain)? {
        Some(tables) => tables.into_u8_vec().map_err(explain)?,
        None => Vec::new(),
    };
    // Without its end-of-image marker; the chunk follows without its start marker.
    let tables = tables
        .get(..tables.len().saturating_sub(2))
        .unwrap_or_default();
    let (chunk_width, chunk_height) = source.chunk_dimensions();
    let across = width.div_ceil(chunk_width.max(1)) as usize;

    let stride = 3 * width as usize;
    let mut pixels = vec![0; stride * height as usize];
    // A chunk may be padded, but is no image of another size.
    let limits = &Limits {
        max_pixels: (4 * u64::from(chunk_width) * u64::from(chunk_height)).min(limits.max_pixels),
        ..*limits
    };
    let mut missing = across * height.div_ceil(chunk_height.max(1)) as usize;
    for (index, (offset, count)) in offsets.iter().zip(&counts).enumerate().take(missing) {
        let data = usize::try_from(*offset)
            .ok()
            .zip(usize::try_from(*count).ok())
            .and_then(|(offset, count)| bytes.get(offset..offset.checked_add(count)?))
            .ok_or(ImageError::Truncated(FORMAT))?;
        let chunk = if tables.is_empty() {
            jpeg::decode_as(data, limits, Some(colors))?
        } else {
            let data = [tables, data.get(2..).unwrap_or_default()].concat();
            jpeg::decode_as(&data, limits, Some(colors))?
        };
        let (column, row) = ((index % across) as u32, (index / across) as u32);
        let expected = (
            chunk_width.min(width - column * chunk_width),
            chunk_height.min(height - row * chunk_height),
        );
        if chunk.width() < expected.0 || chunk.height() < expected.1 {
            return Err(ImageError::damaged(
                FORMAT,
                format!(
                    "JPEG data of {} x {} pixels in the place of {} x {}",
                    chunk.width(),
                    chunk.height(),
                    expected.0,
                    expected.1
                ),
            ));
        }
        let left = 3 * (index % across) * chunk_width as usize;
        let top = (index / across) * chunk_height as usize;
        let rows = pixels.chunks_exact_mut(stride).skip(top);
        let chunk_rows = chunk.pixels().chunks_exact(3 * chunk.width() as usize);
        for (row, chunk_row) in rows.zip(chunk_rows.take(chunk_height as usize)) {
            for (place, byte) in row.iter_mut().skip(left).zip(chunk_row) {
                *place = *byte;
            }
        }
        missing -= 1;
    }
    if missing > 0 {
        return Err(ImageError::Truncated(FORMAT));
    }
    if tags.photometric == WHITE_IS_ZERO {
        pixels.iter_mut().for_each(|v| *v = 255 - *v);
    }
    Ok(pixels)
}

/// Rotates and mirrors by the orientation tag's value, 1 to 8; other values are ignored.
fn orient(width: u32, height: u32, pixels: Vec<u8>, orientation: u16) -> Result<Image, ImageError> {
    if !(2..=8).contains(&orientation) {
        return Image::new(width, height, pixels);
    }
    let (last_x, last_y) = (width as usize - 1, height as usize - 1);
    let (new_width, new_height) = if orientation >= 5 {
        (height, width)
    } else {
        (width, height)
    };
    let source = pixels.as_chunks::<3>().0;
    let mut oriented = Vec::with_capacity(pixels.len());
    for y in 0..new_height as usize {
        for x in 0..new_width as usize {
            let (from_x, from_y) = match orientation {
                2 => (last_x - x, y),
                3 => (last_x - x, last_y - y),
                4 => (x, last_y - y),
                5 => (y, x),
                6 => (y, last_y - x),
                7 => (last_x - y, last_y - x),
                _ => (last_x - y, x),
            };
            let pixel = source.get(from_y * width as usize + from_x);
            oriented.extend(pixel.copied().unwrap_or_default());
        }
    }
    Image::new(new_width, new_height, oriented)
}

fn unsupported(reason: impl Display) -> ImageError {
    ImageError::unsupported(FORMAT, reason)
}

fn explain(error: TiffError) -> ImageError {
    match error {
        TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::Truncated(FORMAT)
        }
        TiffError::UnsupportedError(e) => unsupported(e),
        other => ImageError::damaged(FORMAT, other),
    }
}
