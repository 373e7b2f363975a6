//! The image processor of Hugging Face: `preprocessor_config.json`, or `processor_config.json`, which
//! transformers 5 writes.

use std::path::Path;

use promptsrc_image::{CropOffset, Interpolation, Preprocess, Resize};
use serde_json::{Value, json};

use super::description::{Processing, colours};
use super::section::Section;
use crate::weights::error::WeightError;

const LEGACY: &str = "preprocessor_config.json";
const PROCESSOR: &str = "processor_config.json";
/// What transformers takes where the file does not say.
const DEFAULT_SIDE: usize = 224;

/// What is not about the arithmetic, or says only how images are handed over.
const HARMLESS: &[&str] = &[
    "_valid_processor_keys",
    "data_format",
    "device",
    "disable_grouping",
    "feature_extractor_type",
    "image_processor_type",
    "input_data_format",
    "processor_class",
    "return_tensors",
];

/// Classes that compute what is computed here.
const TYPES: [&str; 4] = [
    "CLIPImageProcessor",
    "CLIPImageProcessorFast",
    "CLIPImageProcessorPil",
    "CLIPFeatureExtractor",
];

/// Reads the description beside a `config.json`; notes if there is none.
pub(super) fn beside(config: &Path, notes: &mut Vec<String>) -> Result<Processing, WeightError> {
    let processor = config.with_file_name(PROCESSOR);
    if processor.is_file() {
        let mut file = Section::file(&processor)?;
        if file.has("image_processor") {
            let images = file.section("image_processor")?;
            file.harmless(&["processor_class"]);
            file.finish()?;
            return read(images, &processor);
        }
    }
    let legacy = config.with_file_name(LEGACY);
    if legacy.is_file() {
        return read(Section::file(&legacy)?, &legacy);
    }
    notes.push(format!(
        "there is neither {LEGACY} nor {PROCESSOR} beside the weights: OpenAI's preprocessing is assumed"
    ));
    Ok(Processing {
        path: config.to_path_buf(),
        side: None,
        preprocess: Preprocess::clip(0),
    })
}

fn read(mut file: Section, path: &Path) -> Result<Processing, WeightError> {
    for key in ["image_processor_type", "feature_extractor_type"] {
        if let Some(kind) = file.text(key)?
            && !TYPES.contains(&kind.as_str())
        {
            return Err(file.unsupported(key, &kind.into()));
        }
    }
    let on = |file: &mut Section, key: &str| Ok::<_, WeightError>(file.flag(key)? != Some(false));
    let (resizes, crops) = (
        on(&mut file, "do_resize")?,
        on(&mut file, "do_center_crop")?,
    );
    let (rescales, normalises) = (on(&mut file, "do_rescale")?, on(&mut file, "do_normalize")?);
    // Images are read as RGB anyway.
    file.flag("do_convert_rgb")?;

    let size = size(&mut file)?;
    let crop = crop_size(&mut file)?;
    let interpolation = interpolation(&mut file)?;
    let factor = file
        .number("rescale_factor")?
        .unwrap_or(Preprocess::RESCALE);
    if !(factor.is_finite() && factor > 0.0) {
        return Err(file.wrong("rescale_factor", &json!(factor), "a positive number"));
    }
    let (mean, std) = (file.channels("image_mean")?, file.channels("image_std")?);
    let (mean, std) = match normalises {
        true => colours(path, mean, std)?,
        false => ([0.0; 3], [1.0; 3]),
    };
    // Other processors' switches, which CLIP's ignores unless they are on.
    file.only(
        &[
            "do_pad",
            "do_flip_channel_order",
            "do_thumbnail",
            "do_align_long_axis",
            "use_square_size",
        ],
        &[json!(false)],
    )?;
    file.harmless(HARMLESS);
    let (resize, side) = match (resizes, size, crops) {
        (true, Size::Sides(side), false) => (Resize::Squash, ("size", side)),
        (true, Size::Sides(sides), true) if sides == crop => (Resize::Squash, ("crop_size", crop)),
        (true, Size::Sides(sides), true) => {
            return Err(file.problem(format!(
                "size is {sides} x {sides} and crop_size {crop} x {crop}: that is not supported, expected equal sizes"
            )));
        }
        (true, Size::Shortest(short), true) => {
            (Resize::Shortest(short as u32), ("crop_size", crop))
        }
        (false, _, true) => (Resize::Keep, ("crop_size", crop)),
        (_, _, false) => {
            return Err(file.problem(
                "do_center_crop is false, and the size does not make every image square: an image tower takes square images only"
                    .to_string(),
            ));
        }
    };
    file.finish()?;
    let rescale = match (rescales, (factor * 255.0 - 1.0).abs() < 1e-9) {
        (false, _) => 1.0,
        (true, true) => Preprocess::RESCALE,
        (true, false) => factor,
    };
    let preprocess = Preprocess {
        resolution: side.1 as u32,
        resize,
        interpolation,
        crop: CropOffset::HalfToEven,
        fill: 0,
        rescale,
        mean,
        std,
    };
    // OpenAI's preprocessing in transformers' words is computed as OpenAI's own code does it. Any other
    // is computed as transformers does it, which rounds the offset of the crop down.
    let crop = match preprocess == Preprocess::clip(preprocess.resolution) {
        true => CropOffset::HalfToEven,
        false => CropOffset::Down,
    };
    Ok(Processing {
        path: path.to_path_buf(),
        side: Some(side),
        preprocess: Preprocess { crop, ..preprocess },
    })
}

#[derive(Clone, Copy)]
enum Size {
    Shortest(usize),
    Sides(usize),
}

/// Largest side that is plausible: beyond it a number is a mistake.
const LARGEST: usize = 1 << 16;

/// A number of pixels.
fn number(value: &Value) -> Option<usize> {
    let number = usize::try_from(value.as_u64()?).ok()?;
    (1..=LARGEST).contains(&number).then_some(number)
}

fn size(file: &mut Section) -> Result<Size, WeightError> {
    let expected = "a number, {\"shortest_edge\": N} or equal height and width";
    let Some(value) = file.take("size") else {
        return Ok(Size::Shortest(DEFAULT_SIDE));
    };
    let read = || match &value {
        Value::Object(map) => match (map.len(), map.get("shortest_edge")) {
            (1, Some(short)) => Some(Size::Shortest(number(short)?)),
            (2, None) if map.get("height")? == map.get("width")? => {
                Some(Size::Sides(number(map.get("height")?)?))
            }
            _ => None,
        },
        other => Some(Size::Shortest(number(other)?)),
    };
    read().ok_or_else(|| file.wrong("size", &value, expected))
}

fn crop_size(file: &mut Section) -> Result<usize, WeightError> {
    let expected = "a number, or equal height and width";
    let Some(value) = file.take("crop_size") else {
        return Ok(DEFAULT_SIDE);
    };
    let read = || match &value {
        Value::Object(map) if map.len() == 2 => {
            let (height, width) = (map.get("height")?, map.get("width")?);
            (height == width).then(|| number(height))?
        }
        Value::Object(_) => None,
        other => number(other),
    };
    read().ok_or_else(|| file.wrong("crop_size", &value, expected))
}

/// Pillow's number of an interpolation, or its name.
fn interpolation(file: &mut Section) -> Result<Interpolation, WeightError> {
    let Some(value) = file.take("resample") else {
        return Ok(Interpolation::Bicubic);
    };
    let found = match &value {
        Value::String(name) => name.to_lowercase().parse().ok(),
        other => Interpolation::ALL
            .into_iter()
            .find(|interpolation| other.as_u64() == Some(interpolation.pillow())),
    };
    found.ok_or_else(|| {
        file.wrong(
            "resample",
            &value,
            "0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box or 5 hamming",
        )
    })
}
