//! The EXIF orientation of images.

use clap::Args;

#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ExifArg {
    /// Turn images by their EXIF orientation; the Python reference does not
    /// [default: as in the training of the adapter; without one, images are used as they are stored].
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    pub exif: Option<bool>,
}
