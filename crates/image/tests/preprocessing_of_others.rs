//! Resizing and preprocessing that are not OpenAI's, against Pillow, open_clip and transformers:
//! `fixtures/make_preprocessing.py` made the expected bytes.

use std::path::Path;

use promptsrc_image::{CropOffset, Image, Interpolation, Preprocess, Resize, resize};
use serde_json::Value;

const SIDE: u32 = 12;

fn cases(kind: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/preprocessing.json");
    let all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let all = all["cases"].as_array().unwrap().clone();
    let cases: Vec<Value> = all
        .into_iter()
        .filter(|case| case["kind"] == kind)
        .collect();
    assert!(cases.len() > 40, "{} of {kind}", cases.len());
    cases
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

/// The image of the formula in `make_preprocessing.py`.
fn image(case: &Value) -> Image {
    let (width, height) = (number(&case["image"][0]), number(&case["image"][1]));
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let value = x * x * 7 + y * (13 * c + 13) + x * y * c * 3 + x * 5 + (y * y * 3) / 2;
                pixels.push((value % 256) as u8);
            }
        }
    }
    Image::new(width, height, pixels).unwrap()
}

fn check(case: &Value, found: &Image) {
    let hex: String = found.pixels().iter().map(|b| format!("{b:02x}")).collect();
    let mut description = case.clone();
    description.as_object_mut().unwrap().remove("rgb");
    assert_eq!(hex, case["rgb"].as_str().unwrap(), "{description}");
}

fn interpolation(case: &Value) -> Interpolation {
    case["interpolation"].as_str().unwrap().parse().unwrap()
}

#[test]
fn every_interpolation_is_pillows() {
    for case in cases("resize") {
        let (width, height) = (number(&case["width"]), number(&case["height"]));
        let found = resize(&image(&case), interpolation(&case), None, width, height).unwrap();
        check(&case, &found);
    }
}

#[test]
fn resize_modes_are_those_of_open_clip() {
    for case in cases("open_clip") {
        let preprocess = Preprocess {
            resize: match case["mode"].as_str().unwrap() {
                "shortest" => Resize::Shortest(SIDE),
                "longest" => Resize::Longest,
                _ => Resize::Squash,
            },
            interpolation: interpolation(&case),
            fill: number(&case["fill"]) as u8,
            ..Preprocess::clip(SIDE)
        };
        check(&case, &preprocess.center(&image(&case)).unwrap());
    }
}

#[test]
fn sizes_and_crops_are_those_of_transformers() {
    for case in cases("transformers") {
        let settings = &case["settings"];
        let interpolation = Interpolation::ALL
            .into_iter()
            .find(|i| settings["resample"] == i.pillow())
            .unwrap_or(Interpolation::Bicubic);
        let preprocess = Preprocess {
            resize: match (&settings["size"], settings["do_resize"] == false) {
                (_, true) => Resize::Keep,
                (size, _) if size["height"] == SIDE => Resize::Squash,
                (size, _) => Resize::Shortest(number(&size["shortest_edge"])),
            },
            interpolation,
            crop: CropOffset::Down,
            ..Preprocess::clip(SIDE)
        };
        check(&case, &preprocess.center(&image(&case)).unwrap());
    }
}
