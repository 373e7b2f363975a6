//! Every way an image can be wrong.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Why bytes could not be decoded, or an image not be preprocessed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// One of the other variants, with the file that it is about.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file as it was asked for.
        path: PathBuf,
        /// What was wrong with it; part of this error's message.
        reason: Box<ImageError>,
    },
    /// The operating system could not read the file.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    /// The path leads to a folder, a pipe or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// The file has no bytes.
    #[error("is empty (0 bytes); copy or download it again")]
    Empty,
    /// More bytes than the limit allows; nothing was decoded.
    #[error("holds {bytes} bytes, more than the limit of {limit}; shrink it or raise the limit")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: u64,
        /// [`Limits::max_bytes`](crate::Limits::max_bytes).
        limit: u64,
    },
    /// The header announces more pixels than the limit allows; none were decoded.
    #[error(
        "its header announces {width} x {height} pixels, more than the limit of {limit} in all \
         (a damaged file or a decompression bomb); shrink it or raise the limit"
    )]
    TooManyPixels {
        /// Announced pixels per row.
        width: u32,
        /// Announced rows.
        height: u32,
        /// [`Limits::max_pixels`](crate::Limits::max_pixels).
        limit: u64,
    },
    /// The content has no known format, whatever the extension of the file name.
    #[error(
        "is not an image that can be read: expected JPEG, PNG, WebP, BMP, GIF or TIFF, found {0}"
    )]
    UnknownFormat(String),
    /// The data end before the image does. Pillow raises "image file is truncated" here.
    #[error("is truncated: the {0} data end before the image does; copy or download it again")]
    Truncated(&'static str),
    /// The data contradict the format.
    #[error("is damaged: {format} decoder: {reason}")]
    Damaged {
        /// Format that the first bytes announce.
        format: &'static str,
        /// The decoder's message.
        reason: String,
    },
    /// The file is valid, but of a kind that is not supported.
    #[error("is a {format} image of an unsupported kind: {reason}; save it as 8-bit RGB")]
    Unsupported {
        /// Format that the first bytes announce.
        format: &'static str,
        /// What about it is not supported.
        reason: String,
    },
    /// Sizes or rectangles that do not fit together.
    #[error("{0}")]
    Geometry(String),
}

impl ImageError {
    pub(crate) fn geometry(message: String) -> Self {
        Self::Geometry(message)
    }

    /// Data that contradict their format, with a decoder's message.
    pub(crate) fn damaged(format: &'static str, reason: impl Display) -> Self {
        Self::Damaged {
            format,
            reason: one_line(&reason.to_string()),
        }
    }

    /// Valid data that are not supported, with a decoder's message.
    pub(crate) fn unsupported(format: &'static str, reason: impl Display) -> Self {
        Self::Unsupported {
            format,
            reason: one_line(&reason.to_string()),
        }
    }

    /// The same error, with the name of the file that it is about.
    pub fn in_file(self, path: &Path) -> Self {
        match self {
            Self::File { .. } => self,
            reason => Self::File {
                path: path.to_path_buf(),
                reason: Box::new(reason),
            },
        }
    }

    /// What was wrong, without the file's name.
    pub fn reason(&self) -> &Self {
        match self {
            Self::File { reason, .. } => reason.reason(),
            other => other,
        }
    }
}

/// The first line of a message, without its full stop.
fn one_line(message: &str) -> String {
    message
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .trim_end_matches('.')
        .to_string()
}
