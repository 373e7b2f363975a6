//! What `promptsrc embed` is asked for.

use std::path::{Path, PathBuf};

use super::clip::ClipSettings;
use super::files::{images, lines};
use crate::args::{Common, EmbedArgs};
use crate::failure::Failure;

/// Features to compute.
#[derive(Clone, Debug)]
pub struct EmbedSettings {
    pub clip: ClipSettings,
    pub images: Vec<PathBuf>,
    pub texts: Vec<String>,
    /// Whether texts that are too long are cut.
    pub truncate: bool,
    pub out: PathBuf,
}

impl EmbedSettings {
    /// # Errors
    /// Whatever can be wrong before an image is read or a CLIP is downloaded.
    pub fn new(args: &EmbedArgs, common: &Common) -> Result<Self, Failure> {
        check_out(&args.out)?;
        Ok(Self {
            images: images(&args.images)?,
            texts: match &args.texts {
                Some(file) => lines(file)?,
                None => Vec::new(),
            },
            clip: ClipSettings::new(&args.clip, common)?,
            truncate: args.truncate,
            out: args.out.clone(),
        })
    }
}

/// Fails where no file can be saved to a path. The file is renamed to this path, so what exists there
/// must be a file: a device or a pipe would be replaced.
fn check_out(path: &Path) -> Result<(), Failure> {
    let problem = if path.exists() && !path.is_file() {
        "is not an ordinary file; give the name of a file to write".to_string()
    } else {
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                format!("there is no folder {}; create it first", folder.display())
            }
            _ => return Ok(()),
        }
    };
    Err(Failure::failed(format!(
        "--out {}: {problem}",
        path.display()
    )))
}
