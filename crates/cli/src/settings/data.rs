//! The labelled images of a command.

use std::path::{Path, PathBuf};

use promptsrc::{DataPlace, DataSource, Dataset};
use promptsrc_datasets::DIVIDED;
use promptsrc_world::WorldSet;

use super::files::absolute;
use crate::args::{Common, DataArgs};
use crate::failure::Failure;
use crate::host::Host;
use crate::output::Printer;

/// The location of images in memory.
const MEMORY: &str = "memory";

/// Labelled images to read.
#[derive(Clone, Debug)]
pub struct DataSettings {
    source: Source,
    /// Their location, for the record of a run.
    pub place: DataPlace,
    /// Whether missing images are left out instead of failing.
    pub allow_missing: bool,
    /// Whether images that cannot be decoded are left out instead of failing.
    pub allow_unreadable: bool,
    /// Whether images are turned by their EXIF orientation; `None`: not said.
    pub exif: Option<bool>,
    /// Whether all parts are used as one, so that it does not matter how images are divided.
    pub parts_as_one: bool,
}

/// The files that a data set was read from, for the record of a run.
#[derive(Clone, Debug, Default)]
pub struct DataFiles {
    /// The split file or list.
    pub split: Option<PathBuf>,
    /// The file that names the classes.
    pub class_names: Option<PathBuf>,
}

impl DataFiles {
    /// The name of a file.
    pub fn name(file: Option<&Path>) -> Option<String> {
        let name = file?.file_name()?;
        Some(name.to_string_lossy().into_owned())
    }
}

#[derive(Clone, Debug)]
enum Source {
    Files(DataSource),
    World(&'static WorldSet),
    /// Of the program that has called the command.
    Memory(Box<Dataset>),
}

impl DataSettings {
    /// # Errors
    /// [`Failure`] if a given built-in data set does not exist, or does not support a given option.
    pub fn new(args: &DataArgs, common: &Common) -> Result<Self, Failure> {
        let allow_missing = args.more.allow_missing;
        if let Some(Host {
            dataset: Some(dataset),
            ..
        }) = &common.host
        {
            return Ok(Self {
                source: Source::Memory(Box::new(dataset.clone())),
                place: DataPlace {
                    path: MEMORY.to_string(),
                    ..DataPlace::default()
                },
                allow_missing,
                allow_unreadable: args.more.allow_unreadable,
                exif: args.more.exif.exif,
                parts_as_one: false,
            });
        }
        if let Some(name) = world_name(&args.data) {
            if args.more.split.is_some() || args.more.class_names.is_some() {
                return Err(Failure::usage(
                    "--data world:NAME has its own split and class names: leave out --split and \
                     --class-names",
                ));
            }
            let set =
                WorldSet::find(name).map_err(|error| Failure::usage(format!("--data: {error}")))?;
            return Ok(Self {
                source: Source::World(set),
                place: DataPlace {
                    path: set.location(),
                    ..DataPlace::default()
                },
                allow_missing,
                allow_unreadable: args.more.allow_unreadable,
                exif: args.more.exif.exif,
                parts_as_one: false,
            });
        }
        Ok(Self {
            source: Source::Files(DataSource {
                data: args.data.clone(),
                split: args.more.split.clone(),
                class_names: args.more.class_names.clone(),
                allow_missing,
                upright: false,
            }),
            place: DataPlace {
                path: absolute(&args.data),
                split: args.more.split.as_deref().map(absolute),
                class_names: args.more.class_names.as_deref().map(absolute),
            },
            allow_missing,
            allow_unreadable: args.more.allow_unreadable,
            exif: args.more.exif.exif,
            parts_as_one: false,
        })
    }

    /// Whether a program has given the images, whose parts mean nothing then.
    pub fn is_memory(&self) -> bool {
        matches!(self.source, Source::Memory(_))
    }

    /// The location of the images, with the file of class names that was found with them.
    pub fn place_with(&self, files: &DataFiles) -> DataPlace {
        let found = files.class_names.as_deref().map(absolute);
        DataPlace {
            class_names: self.place.class_names.clone().or(found),
            ..self.place.clone()
        }
    }

    /// Reads the data set; prints warnings about it. Missing images are reported when they are
    /// needed.
    pub fn read(&self, printer: &Printer) -> Result<(Dataset, DataFiles), Failure> {
        let source = match &self.source {
            Source::World(set) => return Ok((set.dataset(), DataFiles::default())),
            Source::Memory(set) => return Ok(((**set).clone(), DataFiles::default())),
            Source::Files(source) => source,
        };
        let (dataset, mut report) = source.read()?;
        let dataset = dataset.upright(self.exif.unwrap_or(false));
        if self.parts_as_one {
            report.notes.retain(|note| note != DIVIDED);
        }
        for finding in report.findings() {
            printer.warning(&finding);
        }
        let files = DataFiles {
            split: report.listing,
            class_names: report.class_names,
        };
        Ok((dataset, files))
    }
}

/// The name in `world:NAME`, unless a file or folder with this path exists.
fn world_name(data: &Path) -> Option<&str> {
    let name = data.to_str()?;
    (name.starts_with(WorldSet::PREFIX) && !data.exists()).then_some(name)
}
