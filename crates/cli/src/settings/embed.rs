//! The settings of `promptsrc embed`.

use std::path::{Path, PathBuf};

use super::clip::ClipSettings;
use super::files::{images, rows};
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
        check_out(&args.out)?;
        Ok(Self {
            images: images(&args.images)?,
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

/// Fails if a file cannot be saved at a path. Saving replaces what exists at the path, so this must
/// be a regular file, not a device or a pipe.
fn check_out(path: &Path) -> Result<(), Failure> {
    if path.exists() && !path.is_file() {
        return Err(Failure::failed(format!(
            "--out {}: is not a regular file; give the name of a file to write",
            path.display()
        )));
    }
    // The folder is created when the file is saved; what is in its way is found before.
    let in_the_way = path
        .ancestors()
        .skip(1)
        .find(|folder| folder.exists() && !folder.is_dir());
    match in_the_way {
        Some(file) => Err(Failure::failed(format!(
            "--out {}: {} is a file, not a folder",
            path.display(),
            file.display()
        ))),
        None => Ok(()),
    }
}
