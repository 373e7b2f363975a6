//! Small images of every kind in use, against the pixels that Pillow decodes.
//!
//! `fixtures/make.py` made them and `fixtures/expected.json`; Pillow 9.5, 12.0, 12.3 and 13.0 agree
//! on every checksum there.

use std::path::{Path, PathBuf};

use promptsrc_image::{
    Image, ImageError, Limits, Preprocess, decode, decode_upright, open, open_upright,
};
use proptest::prelude::*;
use serde_json::Value;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures"]
        .iter()
        .collect()
}

/// Name and expectation of each image.
fn expected() -> Vec<(String, Value)> {
    expected_in(&folder())
}

fn expected_in(folder: &Path) -> Vec<(String, Value)> {
    let text = std::fs::read(folder.join("expected.json")).unwrap();
    let Value::Object(images) = serde_json::from_slice(&text).unwrap() else {
        panic!("expected.json is not an object")
    };
    images.into_iter().collect()
}

fn checksum(image: &Image) -> u64 {
    let mut crc = flate2::Crc::new();
    crc.update(image.pixels());
    crc.sum().into()
}

#[test]
fn every_kind_of_image_has_pillows_pixels() {
    let images = expected();
    for (name, expected) in &images {
        let image = open(folder().join(name), &Limits::default()).unwrap();
        let size = (u64::from(image.width()), u64::from(image.height()));
        assert_eq!(
            (Some(size.0), Some(size.1)),
            (expected["width"].as_u64(), expected["height"].as_u64()),
            "{name}"
        );
        assert_eq!(
            Some(checksum(&image)),
            expected["pixels"].as_u64(),
            "{name}: its pixels differ from Pillow's"
        );
        let centre = Preprocess::clip(32).center(&image).unwrap();
        assert_eq!(
            Some(checksum(&centre)),
            expected["centre_32"].as_u64(),
            "{name}: its resized centre differs from Pillow's"
        );
    }
    assert!(images.len() > 80, "only {} images", images.len());
}

#[test]
fn upright_images_are_turned_as_by_pillows_exif_transpose() {
    let folder = folder().with_file_name("exif");
    let images = expected_in(&folder);
    for (name, expected) in &images {
        let image = open_upright(folder.join(name), &Limits::default()).unwrap();
        let size = (u64::from(image.width()), u64::from(image.height()));
        assert_eq!(
            (Some(size.0), Some(size.1), Some(checksum(&image))),
            (
                expected["width"].as_u64(),
                expected["height"].as_u64(),
                expected["pixels"].as_u64()
            ),
            "{name}"
        );
        // As stored, all lie the same way; TIFF's is turned by every decoder.
        let stored = open(folder.join(name), &Limits::default()).unwrap();
        assert_eq!(stored.width() == 23, !name.starts_with("tiff"), "{name}");
    }
    assert_eq!(images.len(), 21);
}

#[test]
fn unsupported_kinds_are_named() {
    let jpeg = std::fs::read(folder().join("jpeg_optimised.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    let changed = |place: usize, byte: u8| {
        let mut jpeg = jpeg.clone();
        jpeg[place] = byte;
        decode(&jpeg, &Limits::default()).unwrap_err()
    };
    for (error, reason) in [
        (changed(frame + 4, 12), "12 bits"),
        (changed(frame + 1, 0xc9), "arithmetic"),
        (changed(frame + 1, 0xc3), "lossless"),
    ] {
        assert!(matches!(error, ImageError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn damaged_images_of_any_kind_never_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        // With a wide limit a changed dimension may rightly take gigabytes.
        let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
        let images = expected();
        let mut bytes = std::fs::read(folder().join(&which.get(&images).0)).unwrap();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let _ = decode(&bytes, &limits);
        let _ = decode_upright(&bytes, &limits);
    }
}
