//! How images must be prepared for an exported model, with nothing left out.

use promptsrc_image::{Preprocess, Resize};
use serde::Serialize;

/// Record of a preprocessing for programs that know none of its defaults.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct FullPreprocessing {
    /// Side of the square image, in pixels.
    resolution: u32,
    /// How the image is brought to the size: `shortest` (the shorter side becomes `resize_to`, the longer in
    /// proportion, truncated), `longest` (the longer side becomes `resolution`, the shorter in proportion,
    /// rounded), `squash` or `none`.
    resize: &'static str,
    /// The length of the shorter side after resizing.
    #[serde(skip_serializing_if = "Option::is_none")]
    resize_to: Option<u32>,
    /// Pillow's name of the interpolation.
    interpolation: String,
    /// How the offset of the centre is rounded: `half to even` or `down`.
    crop: String,
    /// Grey value of what the image does not cover.
    fill: u8,
    /// Factor from bytes to the scale of mean and standard deviation.
    rescale: f64,
    /// Subtracted from each channel (red, green, blue).
    mean: [f32; 3],
    /// Divides each channel.
    std: [f32; 3],
    /// Whether images are turned by their EXIF orientation.
    exif: bool,
}

impl FullPreprocessing {
    /// The record of a preprocessing.
    pub fn of(preprocess: &Preprocess, exif: bool) -> Self {
        let (resize, resize_to) = match preprocess.resize {
            Resize::Shortest(size) => ("shortest", Some(size)),
            Resize::Longest => ("longest", None),
            Resize::Squash => ("squash", None),
            Resize::Keep => ("none", None),
        };
        Self {
            resolution: preprocess.resolution,
            resize,
            resize_to,
            interpolation: preprocess.interpolation.to_string(),
            crop: preprocess.crop.to_string(),
            fill: preprocess.fill,
            rescale: preprocess.rescale,
            mean: preprocess.mean,
            std: preprocess.std,
            exif,
        }
    }
}
