//! The settings of `promptsrc embed`.

use std::path::PathBuf;

use super::clip::ClipSettings;
use super::files::{images, rows};
use super::output_file;
use crate::args::{Common, EmbedArgs};
use crate::failure::Failure;

/// Features to compute.
#[derive(Clone, Debug)]
pub struct EmbedSettings {
    pub clip: ClipSettings,
    pub images: Vec<PathBuf>,
    pub texts: Vec<String>,
    /// Whether texts that are too long are truncated.
    pub truncate: bool,
    pub out: PathBuf,
    /// Whether images that cannot be decoded are left out instead of failing.
    pub allow_unreadable: bool,
    /// Whether images are turned by their EXIF orientation.
    pub exif: bool,
}

impl EmbedSettings {
    /// # Errors
    /// [`Failure`] if an option is wrong, as far as that can be found before an image is read or a
    /// CLIP is downloaded.
    pub fn new(args: &EmbedArgs, common: &Common) -> Result<Self, Failure> {
        let images = images(&args.images)?;
        let mut inputs = output_file::paths([args.clip.as_str()]);
        inputs.extend(images.iter().chain(&args.texts).cloned());
        output_file::check("--out ", &args.out, args.force, &inputs)?;
        Ok(Self {
            images,
            texts: match &args.texts {
                Some(file) => rows(file)?,
                None => Vec::new(),
            },
            clip: ClipSettings::new(&args.clip, common)?,
            truncate: args.truncate,
            out: args.out.clone(),
            allow_unreadable: args.allow_unreadable,
            exif: args.exif.exif.unwrap_or(false),
        })
    }
}
