//! The settings of `promptsrc sample`.

use std::path::{Path, PathBuf};

use promptsrc::Classes;

use super::data::DataSettings;
use crate::args::{Common, DataArgs, DataOptions, SampleArgs};
use crate::failure::Failure;

/// A few-shot subset.
#[derive(Clone, Debug)]
pub struct SampleSettings {
    pub data: DataSettings,
    pub shots: usize,
    pub seed: u64,
    pub classes: Classes,
    /// Whether the images are drawn even where the reference saved some.
    pub ignore_few_shot_cache: bool,
}

impl SampleSettings {
    /// # Errors
    /// [`Failure`] if a given built-in data set does not exist.
    pub fn new(args: &SampleArgs, common: &Common) -> Result<Self, Failure> {
        // The subset depends only on the lists, so the images need not exist.
        let folder = args.split.as_deref().and_then(Path::parent);
        let folder = folder.map(|folder| match folder.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => folder.to_path_buf(),
        });
        Ok(Self {
            data: DataSettings::new(
                &DataArgs {
                    data: args.data.clone().or(folder).unwrap_or_default(),
                    more: DataOptions {
                        split: args.split.clone(),
                        class_names: args.class_names.clone(),
                        allow_missing: true,
                        allow_unreadable: true,
                        exif: Default::default(),
                    },
                },
                common,
            )?,
            shots: args.shots,
            seed: args.seed,
            classes: args.classes,
            ignore_few_shot_cache: args.ignore_few_shot_cache,
        })
    }
}
