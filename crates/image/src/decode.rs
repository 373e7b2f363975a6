//! Bytes of an image file to RGB pixels, as Pillow's `Image.open(path).convert("RGB")` gives them.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::error::ImageError as CodecError;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader};

use crate::budget::within_budget;
use crate::exif::Metadata;
use crate::{Image, ImageError, Limits, foreign, gif, jpeg, tiff};

/// File name extensions, in lower case, of the formats that [`decode`] reads.
///
/// Only for choosing files in a folder: [`decode`] tells a format by the first bytes.
pub const EXTENSIONS: [&str; 10] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif", "tif", "tiff",
];

/// File name extensions, in lower case, of images of formats that [`decode`] does not read, so that
/// files of a folder that have them are named instead of being passed over.
pub const UNREADABLE_EXTENSIONS: [&str; 5] = ["heic", "heif", "hif", "avif", "jxl"];

/// Reads and decodes an image file; errors name the file.
///
/// # Errors
/// Any [`ImageError`], wrapped in [`ImageError::File`].
pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Image, ImageError> {
    let path = path.as_ref();
    read(path, limits)
        .and_then(|bytes| decode(&bytes, limits))
        .map_err(|reason| reason.in_file(path))
}

/// As [`open`], and turned as [`decode_upright`] does.
///
/// # Errors
/// As [`open`].
pub fn open_upright(path: impl AsRef<Path>, limits: &Limits) -> Result<Image, ImageError> {
    let path = path.as_ref();
    read(path, limits)
        .and_then(|bytes| decode_upright(&bytes, limits))
        .map_err(|reason| reason.in_file(path))
}

/// As [`decode`], then turned and mirrored by the EXIF orientation, as Pillow's
/// `ImageOps.exif_transpose` does.
///
/// # Errors
/// As [`decode`].
pub fn decode_upright(bytes: &[u8], limits: &Limits) -> Result<Image, ImageError> {
    let image = decode(bytes, limits)?;
    metadata(bytes).turn(image)
}

/// The EXIF data of a PNG, which may be behind its pixels.
fn exif_chunk(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        // Length, kind, data, checksum.
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let data = rest.get(8..length.checked_add(8)?)?;
        if rest.get(4..8)? == b"eXIf" {
            return Some(data);
        }
        rest = rest.get(length.checked_add(12)?..)?;
    }
}

/// A chunk of an extended WebP. The decoder would take as much memory as its length says, whatever there is.
fn webp_chunk<'b>(bytes: &'b [u8], wanted: &[u8; 4]) -> Option<&'b [u8]> {
    let mut rest = bytes.get(12..).filter(|rest| rest.starts_with(b"VP8X"))?;
    loop {
        // Kind, length, data, a byte for even lengths.
        let length = u32::from_le_bytes(*rest.get(4..)?.first_chunk()?) as usize;
        let data = rest.get(8..length.checked_add(8)?)?;
        if rest.starts_with(wanted) {
            return Some(data);
        }
        rest = rest.get(length.checked_add(8 + length % 2)?..)?;
    }
}

/// The EXIF and XMP data of a JPEG, PNG or WebP. TIFF's orientation is applied by every decoder, and
/// BMP and GIF have none.
fn metadata(bytes: &[u8]) -> Metadata {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg::metadata(bytes),
        Ok(ImageFormat::WebP) => Metadata {
            exif: webp_chunk(bytes, b"EXIF").map(<[u8]>::to_vec),
            xmp: webp_chunk(bytes, b"XMP ").map(<[u8]>::to_vec),
        },
        Ok(format @ ImageFormat::Png) => {
            let decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder();
            let mut metadata = decoder.map_or_else(
                |_| Metadata::default(),
                |mut decoder| Metadata {
                    exif: decoder.exif_metadata().ok().flatten(),
                    xmp: decoder.xmp_metadata().ok().flatten(),
                },
            );
            if metadata.exif.is_none() {
                metadata.exif = exif_chunk(bytes).map(<[u8]>::to_vec);
            }
            metadata
        }
        _ => Metadata::default(),
    }
}

fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, ImageError> {
    // Checked before opening: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(ImageError::Io)?;
    if !metadata.is_file() {
        return Err(ImageError::NotAFile);
    }
    limits.check_bytes(metadata.len())?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // One byte more than allowed, for a file that grows while it is read.
    let mut file = File::open(path)
        .map_err(ImageError::Io)?
        .take(limits.max_bytes.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(ImageError::Io)?;
    Ok(bytes)
}

/// Decodes an image file's bytes.
///
/// The content decides the format. As in Pillow's `convert("RGB")`: grey is repeated, palettes are
/// expanded, alpha is dropped (not composited), the EXIF orientation is ignored (TIFF's is
/// applied), 16-bit grey is clipped to 255 while 16-bit colour keeps its high byte, CMYK is
/// converted by the naive formula (JPEG's taken as inverted, Adobe's custom). Of an animation the
/// first frame is decoded, of several pages the first.
///
/// # Errors
/// Any [`ImageError`] but [`ImageError::File`]. Truncated data are an error, never an image
/// that is partly grey.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, ImageError> {
    within_budget(|| decode_within_budget(bytes, limits))
}

/// Width and height in the header of a PNG.
fn png_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(4..)?;
    let (width, rest) = header.strip_prefix(b"IHDR")?.split_first_chunk()?;
    let (height, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

fn decode_within_budget(bytes: &[u8], limits: &Limits) -> Result<Image, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    limits.check_bytes(bytes.len() as u64)?;
    let (format, name) = match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => return jpeg::decode(bytes, limits),
        Ok(format @ ImageFormat::Png) => (format, "PNG"),
        Ok(format @ ImageFormat::WebP) => (format, "WebP"),
        Ok(format @ ImageFormat::Bmp) => (format, "BMP"),
        Ok(ImageFormat::Gif) => return gif::decode(bytes, limits),
        Ok(ImageFormat::Tiff) => return tiff::decode(bytes, limits),
        // Big TIFF, with offsets of 64 bits.
        _ if bytes.starts_with(b"II\x2b\0") || bytes.starts_with(b"MM\0\x2b") => {
            return tiff::decode(bytes, limits);
        }
        _ => return Err(ImageError::UnknownFormat(foreign::describe(bytes))),
    };

    let explain = |error| explain(error, name);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder_limits = image::Limits::no_limits();
    // A decoder needs at most a 16-bit RGBA image and a copy of it; this limits what a false
    // header could make it allocate besides (text chunks, palettes, strips).
    decoder_limits.max_alloc = Some(
        limits
            .max_pixels
            .saturating_mul(16)
            .saturating_add(limits.max_bytes),
    );
    reader.limits(decoder_limits);
    // The decoder of PNG says of too many pixels only that it lacks memory.
    if let Some((width, height)) = png_dimensions(bytes) {
        limits.check_dimensions(width, height)?;
    }
    let decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    limits.check_pixels(width, height)?;
    let color = decoder.color_type();
    // The colour type of a PNG's header: transparency of grey pixels has become alpha in `color`.
    let is_grey_png = format == ImageFormat::Png && bytes.get(25) == Some(&0);
    let unsupported = || ImageError::unsupported(name, format!("its pixels are {color:?}"));
    if matches!(color, ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(unsupported());
    }
    let raw_bytes =
        usize::try_from(decoder.total_bytes()).map_err(|_| ImageError::TooManyPixels {
            width,
            height,
            limit: limits.max_pixels,
        })?;
    let mut raw = vec![0; raw_bytes];
    decoder.read_image(&mut raw).map_err(explain)?;
    let mut pixels = to_rgb(raw, color, is_grey_png).ok_or_else(unsupported)?;
    if format == ImageFormat::Bmp {
        expand_as_pillow(&mut pixels, bytes);
    }
    Image::new(width, height, pixels)
}

/// Converts decoded samples to interleaved RGB; `None` for sample types without a defined range.
fn to_rgb(raw: Vec<u8>, color: ColorType, is_grey_png: bool) -> Option<Vec<u8>> {
    let grey = |step: usize, value: &dyn Fn(&[u8]) -> u8| {
        raw.chunks_exact(step)
            .flat_map(|sample| {
                let value = value(sample);
                [value; 3]
            })
            .collect()
    };
    // 16-bit samples come in the machine's byte order.
    let wide = |sample: &[u8]| match sample {
        [a, b, ..] => u16::from_ne_bytes([*a, *b]),
        _ => 0,
    };
    let high = |sample: &[u8]| (wide(sample) >> 8) as u8;
    Some(match color {
        ColorType::Rgb8 => raw,
        ColorType::L8 => grey(1, &|s| s.first().copied().unwrap_or(0)),
        ColorType::La8 => grey(2, &|s| s.first().copied().unwrap_or(0)),
        ColorType::Rgba8 => raw
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[r, g, b, _]| [*r, *g, *b])
            .collect(),
        // Pillow opens 16-bit grey in a 32-bit integer mode and clips it ...
        ColorType::L16 => grey(2, &|s| wide(s).min(255) as u8),
        ColorType::La16 if is_grey_png => grey(4, &|s| wide(s).min(255) as u8),
        // ... but reads all other 16-bit images as 8-bit ones, by their high bytes.
        ColorType::La16 => grey(4, &high),
        ColorType::Rgb16 => raw.as_chunks::<2>().0.iter().map(|s| high(s)).collect(),
        ColorType::Rgba16 => raw
            .as_chunks::<8>()
            .0
            .iter()
            .flat_map(|p| [high(&p[0..2]), high(&p[2..4]), high(&p[4..6])])
            .collect(),
        _ => return None,
    })
}

/// Rounds down the samples of a 16-bit BMP, which have 5 bits, green sometimes 6, as Pillow does.
fn expand_as_pillow(pixels: &mut [u8], bytes: &[u8]) {
    let short = |place: usize| {
        let bytes = bytes.get(place..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |b| u16::from_le_bytes(*b))
    };
    // Header size, bits per pixel, compression (3: masks follow), mask of green.
    if short(14) < 40 || short(28) != 16 {
        return;
    }
    let green_bits = if short(30) == 3 && short(58) == 0x07e0 {
        6
    } else {
        5
    };
    for pixel in pixels.as_chunks_mut::<3>().0 {
        for (sample, bits) in pixel.iter_mut().zip([5, green_bits, 5]) {
            let most = (1_u16 << bits) - 1;
            *sample = (u16::from(*sample >> (8 - bits)) * 255 / most) as u8;
        }
    }
}

/// An error of the `image` crate as one of ours.
fn explain(error: CodecError, format: &'static str) -> ImageError {
    match error {
        CodecError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageError::Truncated(format)
        }
        CodecError::Unsupported(e) => ImageError::unsupported(format, e),
        other => ImageError::damaged(format, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webp(chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
        for (kind, length, data) in chunks {
            bytes.extend_from_slice(*kind);
            bytes.extend(length.to_le_bytes());
            bytes.extend_from_slice(data);
        }
        bytes
    }

    #[test]
    fn a_chunk_is_found_within_the_file_and_never_beyond_it() {
        let header: (&[u8; 4], u32, &[u8]) = (b"VP8X", 3, &[8, 0, 0, 0]);
        let whole = webp(&[header, (b"EXIF", 4, b"MM\0*"), (b"XMP ", 2, b"<>")]);
        assert_eq!(webp_chunk(&whole, b"EXIF"), Some(&b"MM\0*"[..]));
        assert_eq!(webp_chunk(&whole, b"XMP "), Some(&b"<>"[..]));
        assert_eq!(webp_chunk(&whole, b"ICCP"), None);
        // Two gigabytes, as a fuzzer had it.
        let endless = webp(&[header, (b"EXIF", 0x8d00_001a, &[0x8d; 60])]);
        assert_eq!(webp_chunk(&endless, b"EXIF"), None);
        assert_eq!(metadata(&endless).exif, None);
        let simple = webp(&[(b"VP8L", 2, &[0, 0]), (b"EXIF", 4, b"MM\0*")]);
        assert_eq!(webp_chunk(&simple, b"EXIF"), None);
        for end in 0..whole.len() {
            webp_chunk(&whole[..end], b"XMP ");
        }
    }
}
