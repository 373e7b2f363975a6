//! A data set as ordinary files: PNG images in a folder for each class, and a split file.

use std::fs;
use std::io::Error;
use std::path::{Path, PathBuf};

use promptsrc_datasets::Part;
use promptsrc_image::Image;
use serde_json::{Map, Value, json};

use crate::WorldError;
use crate::canvas::SIDE;
use crate::render::draw;
use crate::set::WorldSet;

impl WorldSet {
    /// Writes the set into a folder of its name below `dir`, and returns that folder: images as
    /// `images/<class>/<number>.png`, the split as `split_zhou_<Set>.json` in CoOp's format.
    ///
    /// Existing files are overwritten. The split is written last: a folder that has one is
    /// complete.
    ///
    /// # Errors
    /// [`WorldError::Write`].
    pub fn export(&self, dir: &Path) -> Result<PathBuf, WorldError> {
        let folder = dir.join(self.name());
        let split_path = folder.join(self.split_file());
        match fs::remove_file(&split_path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(write_error(&split_path, e));
            }
            _ => {}
        }
        let names = self.class_names();
        let mut split = Map::new();
        for part in Part::ALL {
            let mut entries = Vec::new();
            for (label, index) in self.places(part) {
                let (Some(scene), Some(name)) = (self.scene(part, label, index), names.get(label))
                else {
                    continue;
                };
                let file = self.file(part, label, index);
                save(&draw(&scene, SIDE), &folder.join("images").join(&file))?;
                entries.push(json!([file, label, name]));
            }
            split.insert(part.to_string(), Value::Array(entries));
        }
        let text = Value::Object(split).to_string();
        fs::write(&split_path, text).map_err(|e| write_error(&split_path, e))?;
        Ok(folder)
    }

    /// Writes one image as a PNG file: class by label, `index` below
    /// [`images_per_class`](crate::images_per_class) of the part.
    ///
    /// # Errors
    /// [`WorldError::Write`], also where there is no such class.
    pub fn save_image(
        &self,
        part: Part,
        label: usize,
        index: usize,
        path: &Path,
    ) -> Result<(), WorldError> {
        match self.scene(part, label, index) {
            Some(scene) => save(&draw(&scene, SIDE), path),
            None => {
                let reason = format!("the data set {} has no class {label}", self.name());
                Err(write_error(path, Error::other(reason)))
            }
        }
    }

    /// `split_zhou_SourceSketch.json` of `source-sketch`.
    fn split_file(&self) -> String {
        let camel: String = self
            .name()
            .split('-')
            .map(|word| {
                let (head, tail) = word.split_at(1.min(word.len()));
                head.to_ascii_uppercase() + tail
            })
            .collect();
        format!("split_zhou_{camel}.json")
    }
}

fn save(image: &Image, path: &Path) -> Result<(), WorldError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|e| write_error(parent, e))?;
    }
    let bytes = image.png().map_err(|e| write_error(path, e))?;
    fs::write(path, bytes).map_err(|e| write_error(path, e))
}

fn write_error(path: &Path, reason: Error) -> WorldError {
    WorldError::Write {
        path: path.to_path_buf(),
        reason,
    }
}
