//! The decoders of images.

use promptsrc_image::{Limits, decode, decode_upright};

use crate::repository;
use crate::target::{Outcome, Target};

pub const TARGETS: &[Target] = &[
    Target {
        name: "jpeg",
        run: image,
        seeds: || repository::with_extension(&["jpg"]),
    },
    Target {
        name: "png",
        run: image,
        seeds: || repository::with_extension(&["png"]),
    },
    Target {
        name: "webp",
        run: image,
        seeds: || repository::with_extension(&["webp"]),
    },
    Target {
        name: "gif",
        run: image,
        seeds: || repository::with_extension(&["gif"]),
    },
    Target {
        name: "bmp",
        run: image,
        seeds: || repository::with_extension(&["bmp"]),
    },
    Target {
        name: "tiff",
        run: image,
        seeds: || repository::with_extension(&["tif"]),
    },
    Target {
        name: "exif",
        run: |data| decode_upright(data, &limits(1 << 16)).into(),
        seeds: || repository::with_extension(&["jpg", "png", "webp", "tif"]),
    },
];

fn image(data: &[u8]) -> Outcome {
    decode(data, &limits(1 << 20)).into()
}

/// A larger image only takes longer.
fn limits(max_pixels: u64) -> Limits {
    Limits {
        max_pixels,
        ..Limits::default()
    }
}
