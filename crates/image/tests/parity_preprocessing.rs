//! Images against Pillow's and torchvision's own bytes.

use promptsrc_goldens::{Group, Tensors, has, is_committed, json, number, path, tabled};
use promptsrc_image::{Crop, Image, Limits, Preprocess, open};
use serde_json::Value;

/// How far a file's samples may be off, in 1/255. A JPEG's are libjpeg-turbo's own (the largest error
/// is printed, and has been 0); the room is for versions of libjpeg that round otherwise.
fn tolerance(file: &str) -> f64 {
    if is_jpeg(file) {
        tabled("jpeg_samples")
    } else {
        0.0
    }
}

fn is_jpeg(file: &str) -> bool {
    std::fs::read(path("images").join(file))
        .unwrap()
        .starts_with(&[0xff, 0xd8])
}

fn files(description: &Value) -> Vec<&String> {
    description["files"]
        .as_object()
        .expect("files is an object")
        .keys()
        .collect()
}

/// Sizes for which the goldens have the bytes of a file.
fn sizes(expected: &Tensors, file: &str) -> Vec<u32> {
    let prefix = format!("{file}/u8_");
    expected
        .below(&prefix)
        .map(|size| size.parse().expect("a size"))
        .collect()
}

fn bytes(values: &[u8]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn decoded(expected: &Tensors, file: &str) -> Option<Image> {
    let name = format!("{file}/decoded_rgb_u8");
    expected.has(&name).then(|| {
        let tensor = expected.get(&name);
        let [height, width, 3] = tensor.shape[..] else {
            panic!("{name}: {:?}", tensor.shape)
        };
        Image::new(width as u32, height as u32, tensor.u8()).unwrap()
    })
}

#[test]
fn parity_preprocessing_decoded_pixels_are_pillows() {
    if !has("images") {
        return;
    }
    let (description, expected) = (json("images/images.json"), tensors());
    let mut exact = Group::new("decoded pixels, lossless");
    let mut jpeg = Group::new("decoded pixels, JPEG (in 1/255)");
    for file in files(&description) {
        let Some(golden) = decoded(&expected, file) else {
            continue;
        };
        let found = open(path("images").join(file), &Limits::default()).unwrap();
        assert_eq!(
            (found.width(), found.height()),
            (golden.width(), golden.height()),
            "{file}"
        );
        let (found, golden) = (bytes(found.pixels()), bytes(golden.pixels()));
        if is_jpeg(file) {
            jpeg.absolute(file, &found, &golden, tolerance(file));
        } else {
            exact.absolute(file, &found, &golden, 0.0);
        }
    }
    exact.finish(usize::from(is_committed()));
    jpeg.finish(usize::from(is_committed()));
}

#[test]
fn parity_preprocessing_resampling_of_pillows_pixels_is_exact() {
    if !has("images") {
        return;
    }
    let (description, expected) = (json("images/images.json"), tensors());
    let mut group = Group::new("resized and cropped bytes");
    let mut floats = Group::new("normalised numbers");
    for file in files(&description) {
        let Some(image) = decoded(&expected, file) else {
            continue;
        };
        for size in sizes(&expected, file) {
            let preprocess = Preprocess::clip(size);
            let golden = expected.get(&format!("{file}/u8_{size}"));
            let found = preprocess.center(&image).unwrap();
            let case = format!("{file} at {size}");
            group.absolute(&case, &bytes(&found.to_planes()), &golden.data, 0.0);
            let name = format!("{file}/f32_{size}");
            if expected.has(&name) {
                let found: Vec<f64> = preprocess
                    .normalise(&found)
                    .into_iter()
                    .map(f64::from)
                    .collect();
                floats.absolute(&case, &found, &expected.get(&name).data, 0.0);
            }
        }
    }
    group.finish(usize::from(is_committed()));
    floats.finish(usize::from(is_committed()));
}

#[test]
fn parity_preprocessing_files_end_to_end() {
    if !has("images") {
        return;
    }
    let (description, expected) = (json("images/images.json"), tensors());
    let mut exact = Group::new("files to bytes, lossless");
    let mut jpeg = Group::new("files to bytes, JPEG (in 1/255)");
    for file in files(&description) {
        let image = open(path("images").join(file), &Limits::default()).unwrap();
        for size in sizes(&expected, file) {
            let golden = expected.get(&format!("{file}/u8_{size}"));
            let found = bytes(&Preprocess::clip(size).center(&image).unwrap().to_planes());
            let case = format!("{file} at {size}");
            if is_jpeg(file) {
                jpeg.absolute(&case, &found, &golden.data, tolerance(file));
            } else {
                exact.absolute(&case, &found, &golden.data, 0.0);
            }
        }
    }
    exact.finish(usize::from(is_committed()));
    jpeg.finish(usize::from(is_committed()));
}

#[test]
fn parity_preprocessing_training_crops() {
    if !has("images") {
        return;
    }
    let (description, expected) = (json("images/images.json"), tensors());
    let mut exact = Group::new("training crops of Pillow's pixels");
    let mut jpeg = Group::new("training crops of files (in 1/255)");
    for crop in description["train_crops"]
        .as_array()
        .expect("train_crops is an array")
    {
        let [key, file] = ["key", "image"].map(|k| crop[k].as_str().unwrap());
        let [left, top, width, height, size] =
            ["left", "top", "width", "height", "size"].map(|k| number(&crop[k]) as u32);
        let rectangle = Crop {
            left,
            top,
            width,
            height,
        };
        let flip = crop["flip"].as_bool().unwrap();
        let golden = expected.get(&format!("{key}/u8"));
        let preprocess = Preprocess::clip(size);
        let run =
            |image: &Image| bytes(&preprocess.cut(image, rectangle, flip).unwrap().to_planes());
        if let Some(image) = decoded(&expected, file) {
            exact.absolute(key, &run(&image), &golden.data, 0.0);
        }
        let image = open(path("images").join(file), &Limits::default()).unwrap();
        jpeg.absolute(key, &run(&image), &golden.data, tolerance(file));
    }
    exact.finish(usize::from(is_committed()));
    jpeg.finish(usize::from(is_committed()));
}

fn tensors() -> Tensors {
    Tensors::read("images/expected.safetensors")
}
