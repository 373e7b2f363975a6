//! The errors of JPEG data.

use crate::ImageError;

pub(super) const FORMAT: &str = "JPEG";

/// The error of data that contradict the format.
pub(super) fn damaged(reason: &str) -> ImageError {
    ImageError::damaged(FORMAT, reason)
}

/// The error of valid data that are not supported.
pub(super) fn unsupported(reason: String) -> ImageError {
    ImageError::unsupported(FORMAT, reason)
}
