//! Damaged and foreign files: each gives a named error, never a panic or a guess.

use std::path::Path;

use promptsrc_goldens::{list, path};
use promptsrc_image::{ImageError, Limits, decode, open};
use proptest::prelude::*;

/// The golden images: name and bytes.
fn images() -> Vec<(String, Vec<u8>)> {
    let folder = path("images");
    list("images")
        .into_iter()
        .filter(|name| !name.ends_with(".json") && !name.ends_with(".safetensors"))
        .map(|name| (name.clone(), std::fs::read(folder.join(&name)).unwrap()))
        .collect()
}

fn failure(bytes: &[u8]) -> ImageError {
    decode(bytes, &Limits::default()).unwrap_err()
}

/// A PNG header that announces any size, and nothing else.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\r".to_vec();
    png.extend(&header);
    png.extend(crc.sum().to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    png
}

#[test]
fn an_empty_file_is_called_empty() {
    assert!(matches!(failure(b""), ImageError::Empty));
}

#[test]
fn text_under_an_image_name_is_called_text() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cat.jpg");
    std::fs::write(&file, "this is not an image").unwrap();
    let error = open(&file, &Limits::default()).unwrap_err();
    assert!(matches!(error.reason(), ImageError::UnknownFormat(_)));
    let message = error.to_string();
    assert!(
        message.contains("cat.jpg") && message.contains("found text"),
        "{message}"
    );

    let message = failure(b"<!DOCTYPE html><html>404</html>").to_string();
    assert!(message.contains("HTML page"), "{message}");
    let message = failure(b"version https://git-lfs.github.com/spec/v1\noid 1").to_string();
    assert!(message.contains("git lfs pull"), "{message}");
}

#[test]
fn missing_files_and_folders_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path(), &Limits::default()).unwrap_err();
    assert!(matches!(error.reason(), ImageError::NotAFile), "{error}");
    let error = open(folder.path().join("none.png"), &Limits::default()).unwrap_err();
    assert!(matches!(error.reason(), ImageError::Io(_)));
    assert!(error.to_string().contains("none.png"), "{error}");
}

#[test]
fn decompression_bombs_are_refused_by_their_header() {
    let error = failure(&png_header(60_000, 60_000));
    let ImageError::TooManyPixels {
        width: 60_000,
        height: 60_000,
        limit,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(limit, 178_956_970);
    // More than the decoder could count in memory.
    let largest = i32::MAX.unsigned_abs();
    let error = failure(&png_header(largest, largest));
    assert!(matches!(error, ImageError::TooManyPixels { .. }), "{error}");
    // A JPEG frame of 65,535 x 65,535 pixels.
    let jpeg = [
        0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0xff, 0xff, 0xff, 0xff, 1, 1, 0x11, 0, 0xff, 0xd9,
    ];
    assert!(matches!(failure(&jpeg), ImageError::TooManyPixels { .. }));
}

#[test]
fn limits_are_the_callers() {
    for (name, bytes) in images() {
        let tight = Limits {
            max_pixels: 10,
            ..Limits::default()
        };
        let error = decode(&bytes, &tight).unwrap_err();
        assert!(
            matches!(error, ImageError::TooManyPixels { .. }),
            "{name}: {error}"
        );
        let tight = Limits {
            max_bytes: 10,
            ..Limits::default()
        };
        let error = decode(&bytes, &tight).unwrap_err();
        assert!(
            matches!(error, ImageError::TooManyBytes { .. }),
            "{name}: {error}"
        );
        let error = open(path("images").join(&name), &tight).unwrap_err();
        assert!(
            matches!(error.reason(), ImageError::TooManyBytes { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn truncated_files_are_errors_wherever_they_end() {
    let mut cut_short = 0;
    for (name, bytes) in images() {
        let is_jpeg = bytes.starts_with(&[0xff, 0xd8]);
        for part in 1..20 {
            let end = bytes.len() * part / 20;
            let error = match decode(&bytes[..end], &Limits::default()) {
                Err(error) => error,
                Ok(image) => panic!("{name}: {end} of {} bytes gave {image:?}", bytes.len()),
            };
            assert!(
                !is_jpeg || matches!(error, ImageError::Truncated(_)),
                "{name} cut to {end}: {error}"
            );
            cut_short += 1;
        }
    }
    assert!(cut_short > 0);
}

#[test]
fn a_jpeg_without_its_end_marker_is_truncated() {
    for (name, bytes) in images() {
        if bytes.starts_with(&[0xff, 0xd8]) {
            let end = bytes.len() - 2;
            assert!(
                matches!(failure(&bytes[..end]), ImageError::Truncated(_)),
                "{name}"
            );
        }
    }
}

#[test]
fn content_decides_the_format_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in images() {
        let wrong = folder
            .path()
            .join(Path::new(&name).with_extension("gif").file_name().unwrap());
        std::fs::write(&wrong, &bytes).unwrap();
        assert_eq!(
            open(&wrong, &Limits::default()).unwrap(),
            decode(&bytes, &Limits::default()).unwrap()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_bytes_never_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        // Headers are where damage matters most.
        early in any::<bool>(),
    ) {
        // With a wide limit a changed dimension may rightly take gigabytes.
        let limits = Limits { max_pixels: 4_000_000, ..Limits::default() };
        let small: Vec<_> = images().into_iter().filter(|(_, b)| b.len() < 40_000).collect();
        let mut bytes = which.get(&small).1.clone();
        for (place, byte) in damage {
            let reach = if early { bytes.len().min(700) } else { bytes.len() };
            let place = place.index(reach);
            bytes[place] = byte;
        }
        let _ = decode(&bytes, &limits);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..7) {
        let magic: &[u8] = [
            b"\xff\xd8\xff\xdb".as_slice(),
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"BM",
            b"II*\0",
            b"RIFF\x20\0\0\0WEBPVP8L",
            b"",
        ][kind as usize];
        let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
        let _ = decode(&[magic, &bytes].concat(), &limits);
    }
}

/// A segment of a JPEG.
fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() + 2) as u16;
    [&[0xff, marker][..], &length.to_be_bytes(), data].concat()
}

/// A JPEG of `side` x `side` pixels in components of these sampling factors, whose Huffman codes are all of
/// one bit: with `scans`, headers and data.
fn small_jpeg(process: u8, side: u16, sampling: &[u8], scans: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    let mut counts = [0; 16];
    counts[0] = 1;
    for class in [0x00, 0x10] {
        bytes.extend(segment(0xc4, &[&[class][..], &counts, &[0]].concat()));
    }
    let [high, low] = side.to_be_bytes();
    let mut frame = vec![8, high, low, high, low, sampling.len() as u8];
    for (id, factors) in sampling.iter().enumerate() {
        frame.extend([id as u8 + 1, *factors, 0]);
    }
    bytes.extend(segment(0xc0 + process, &frame));
    for (header, data) in scans {
        bytes.extend(segment(0xda, header));
        bytes.extend(data);
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

#[test]
fn a_jpeg_holds_what_its_header_announces() {
    let decoded = |bytes: &[u8]| decode(bytes, &Limits::default());
    // All coefficients zero: one bit for each block's DC, one for the end of the block.
    let whole = |blocks: usize| (vec![1, 1, 0, 0, 63, 0], vec![0; blocks.div_ceil(4)]);
    let image = decoded(&small_jpeg(0, 64, &[0x11], &[whole(64)])).expect("64 blocks");
    assert_eq!((image.width(), image.pixels()[0]), (64, 128));
    // A few bytes for 13,377 x 13,377 pixels.
    for process in [0, 2] {
        let error = decoded(&small_jpeg(process, 13_377, &[0x11], &[whole(64)])).unwrap_err();
        assert!(error.to_string().contains("too few"), "{error}");
    }
    // One large component and two small ones: 18 blocks a unit, for which libjpeg has no room.
    let together = (vec![3, 1, 0, 2, 0, 3, 0, 0, 63, 0], vec![0; 200]);
    let error = decoded(&small_jpeg(0, 64, &[0x44, 0x11, 0x11], &[together])).unwrap_err();
    assert!(error.to_string().contains("ten blocks"), "{error}");
}

#[test]
fn a_jpeg_passes_over_its_blocks_a_bounded_number_of_times() {
    let dc = (vec![1, 1, 0, 0, 0, 0x01], vec![0; 8]);
    let later = (vec![1, 1, 0, 0, 0, 0x10], vec![0; 8]);
    let with = |repetitions: usize| {
        let scans = [vec![dc.clone()], vec![later.clone(); repetitions]].concat();
        decode(&small_jpeg(2, 64, &[0x11], &scans), &Limits::default())
    };
    assert!(with(1).is_ok());
    assert!(with(31).is_ok());
    let error = with(32).unwrap_err();
    assert!(error.to_string().contains("scan after scan"), "{error}");
}

#[test]
fn a_tiff_with_a_text_longer_than_the_file_is_damaged() {
    for (order, big) in [(b"II", false), (b"MM", false), (b"II", true), (b"MM", true)] {
        let number = |value: u64, size: usize| match order {
            b"II" => value.to_le_bytes()[..size].to_vec(),
            _ => value.to_be_bytes()[8 - size..].to_vec(),
        };
        let offset = if big { 8 } else { 4 };
        let mut bytes = order.to_vec();
        bytes.extend(number(if big { 43 } else { 42 }, 2));
        if big {
            bytes.extend([number(8, 2), number(0, 2), number(16, 8), number(1, 8)].concat());
        } else {
            bytes.extend([number(8, 4), number(1, 2)].concat());
        }
        // ImageDescription: a text of 2^31 bytes and more.
        let entry = [number(270, 2), number(2, 2), number(0xffff_fff0, offset)].concat();
        bytes.extend([entry, number(8, offset), number(0, offset)].concat());
        bytes.resize(200, 0);
        let error = failure(&bytes).to_string();
        assert!(error.contains("text longer"), "{error}");
    }
}
