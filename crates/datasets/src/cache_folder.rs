//! Where few-shot subsets that the reference saved are looked for.

use std::path::PathBuf;

/// The folders of a data set in which the reference may have saved few-shot subsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheFolder {
    /// The folders that may have a folder `split_fewshot`.
    pub folders: Vec<PathBuf>,
    /// The folder that the images' paths are relative to.
    pub images: PathBuf,
    /// Whether a person's file names the classes, so that the saved names are others.
    pub other_names: bool,
}
