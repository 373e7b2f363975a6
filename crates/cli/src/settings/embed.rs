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
            exif: args.exif.unwrap_or(false),
        })
    }
}

/// Fails if a file cannot be saved at a path. Saving replaces what exists at the path, so this must
/// be a regular file, not a device or a pipe.
fn check_out(path: &Path) -> Result<(), Failure> {
    let problem = if path.exists() && !path.is_file() {
        "is not a regular file; give the name of a file to write".to_string()
    } else {
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                format!(
                    "the folder {} does not exist; create it first",
                    folder.display()
                )
            }
            _ => return Ok(()),
        }
    };
    Err(Failure::failed(format!(
        "--out {}: {problem}",
        path.display()
    )))
}
