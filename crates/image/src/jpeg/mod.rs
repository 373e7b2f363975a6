//! JPEG decoding, bit for bit as libjpeg-turbo does it with its default settings.
//!
//! Pillow, and with it every published number of a CLIP, sees JPEG through libjpeg: its integer
//! inverse DCT ("islow"), its triangle-filtered ("fancy") chroma upsampling, its fixed-point colour
//! conversion. Other decoders are off by up to 7/255 where chroma is subsampled. So the arithmetic
//! here is libjpeg's, in plain, safe Rust. Baseline, extended and progressive
//! Huffman-coded images of 8 bits are read; Pillow reads few others (arithmetic coding). One thing
//! is not done here: where the scans of a progressive image stop early, libjpeg smooths its blocks.

mod convert;
mod error;
mod frame;
mod headers;
mod huffman;
mod idct;
mod markers;
mod scan;
mod standard;
mod upsample;

use convert::to_rgb;
use error::{FORMAT, damaged};
use frame::{Frame, FrameHeader};
use headers::Headers;
use markers::{Marker, Markers};
use scan::Scan;

use crate::exif::Metadata;
use crate::{Image, ImageError, Limits};

pub(crate) use convert::inverted_cmyk_to_rgb;
pub(crate) use headers::Colors;

/// How often all blocks of an image are passed at most: encoders take up to a dozen scans, of which most are
/// of one component.
const MOST_PASSES: u64 = 32;

/// Decodes a JPEG.
///
/// Where entropy-coded data are corrupt but markers lead to the end of the image, the result is
/// libjpeg's, which warns and goes on.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Image, ImageError> {
    decode_as(bytes, limits, None)
}

/// Decodes a JPEG whose components are `colors`, whatever its own segments say.
pub(crate) fn decode_as(
    bytes: &[u8],
    limits: &Limits,
    colors: Option<Colors>,
) -> Result<Image, ImageError> {
    let mut frame: Option<Frame> = None;
    let mut headers = Headers::default();
    let mut markers = Markers::new(bytes);
    let mut passed = 0;
    loop {
        match markers.next()? {
            Marker::EndOfImage => break,
            Marker::Frame(code, segment) => {
                if frame.is_some() {
                    return Err(damaged("a second frame header"));
                }
                let header = FrameHeader::read(code, segment)?;
                limits.check_pixels(header.width.into(), header.height.into())?;
                // Before memory is allocated: missing data must not become a grey area.
                if !markers.clone().reach_end_of_image() {
                    return Err(ImageError::Truncated(FORMAT));
                }
                if header.least_bits() > 8 * markers.rest().len() as u64 {
                    return Err(damaged("its data are too few for its pixels"));
                }
                frame = Some(Frame::new(header)?);
            }
            Marker::Scan(segment) => {
                let frame = frame
                    .as_mut()
                    .ok_or_else(|| damaged("a scan before its frame"))?;
                let scan = Scan::read(segment, frame)?;
                passed += scan.blocks(frame);
                if passed > MOST_PASSES * frame.blocks() {
                    return Err(damaged("scan after scan of the same blocks"));
                }
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
    let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
    let colors = colors.unwrap_or_else(|| headers.colors(&ids));
    Image::new(width as u32, height as u32, to_rgb(&frame, colors))
}

/// The EXIF and XMP data of a JPEG; segments of the same kind are joined, as in Pillow.
pub(crate) fn metadata(bytes: &[u8]) -> Metadata {
    const APP1: u8 = 0xe1;
    let mut found = Metadata::default();
    let mut markers = Markers::new(bytes);
    loop {
        match markers.next() {
            Ok(Marker::Other(APP1, segment)) => {
                if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
                    found.exif.get_or_insert_default().extend(exif);
                } else if let Some(xmp) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                    found.xmp = Some(xmp.to_vec());
                }
            }
            Ok(Marker::Other(..) | Marker::Frame(..)) => {}
            // Both come before the pixels.
            Ok(Marker::Scan(_) | Marker::EndOfImage) | Err(_) => return found,
        }
    }
}
