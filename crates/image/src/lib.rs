//! Images as CLIP sees them: files to RGB pixels, pixels to the numbers the image tower reads.
//!
//! Everything here follows the Python stack that CLIP and its prompt learners were trained and
//! measured with (Pillow and torchvision), down to the rounding of each resampled byte: a model's
//! accuracy should not depend on which program prepared the images.
//!
//! ```
//! use promptsrc_image::{Image, Preprocess};
//!
//! let image = Image::new(2, 1, vec![255, 0, 0, 0, 0, 255])?;
//! let input = Preprocess::clip(4).apply(&image)?;
//! assert_eq!(input.len(), 3 * 4 * 4);
//! # Ok::<(), promptsrc_image::ImageError>(())
//! ```

mod budget;
mod decode;
mod error;
mod exif;
mod foreign;
mod gif;
mod interpolation;
mod jpeg;
mod limits;
mod nearest;
mod png;
mod preprocess;
mod resample;
mod rgb;
mod tiff;

pub use budget::within_budget;
pub use decode::{EXTENSIONS, UNREADABLE_EXTENSIONS, decode, decode_upright, open, open_upright};
pub use error::ImageError;
pub use interpolation::Interpolation;
pub use limits::Limits;
pub use preprocess::{CLIP_MEAN, CLIP_STD, CropOffset, Preprocess, Resize};
pub use resample::{resize, resize_window};
pub use rgb::{Crop, Image};
