//! What a result records of how it was computed, so that a person can tell what it may be compared
//! with.

use std::path::Path;

use promptsrc_datasets::{Classes, Item, Parts, Subset};
use serde::{Deserialize, Serialize};

use crate::clip::Clip;
use crate::image_list::fingerprint;

/// How a result was computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Name and version of the program: `promptsrc 0.1.0`.
    pub program: String,
    /// Precision of the arithmetic.
    pub precision: String,
    /// Name of the CLIP.
    pub clip: String,
    /// Fingerprint of its weights.
    pub clip_fingerprint: String,
    /// The adapter; `None`: zero-shot CLIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterProvenance>,
    /// Templates of the class texts; an adapter has one, whose first words are learned.
    pub templates: Vec<String>,
    /// The images; `None` where they have no labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataProvenance>,
}

/// The adapter, or checkpoint of the reference, of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterProvenance {
    /// Its file.
    pub path: String,
    /// BLAKE3 hash of the file.
    pub hash: String,
    /// Name of the method.
    pub method: String,
    /// Precision of its training.
    pub precision: String,
}

/// The labelled images of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataProvenance {
    /// Name of the data set.
    pub name: String,
    /// The part of the images.
    pub part: Parts,
    /// The part of the classes.
    pub classes: Classes,
    /// Number of classes.
    pub n_classes: usize,
    /// Number of images.
    pub images: usize,
    /// Fingerprint of the list of images and classes.
    pub list: String,
}

/// The name and version of this program.
pub fn program() -> String {
    format!("promptsrc {}", env!("CARGO_PKG_VERSION"))
}

impl Provenance {
    /// That of a result of a CLIP, with these templates.
    pub fn new(clip: &Clip, templates: Vec<String>) -> Self {
        Self {
            program: program(),
            precision: clip.precision().to_string(),
            clip: clip.record().name.clone(),
            clip_fingerprint: clip.record().fingerprint.clone(),
            adapter: None,
            templates,
            data: None,
        }
    }
}

impl AdapterProvenance {
    /// That of the file of an adapter.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of(path: &Path, method: &str, precision: &str) -> std::io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut promptsrc_files::open_regular(path)?, &mut hasher)?;
        Ok(Self {
            path: path.display().to_string(),
            hash: hasher.finalize().to_hex().to_string(),
            method: method.to_string(),
            precision: precision.to_string(),
        })
    }
}

impl DataProvenance {
    /// That of the images `items` of a subset.
    pub fn of(name: &str, part: Parts, classes: Classes, subset: &Subset, items: &[Item]) -> Self {
        Self {
            name: name.to_string(),
            part,
            classes,
            n_classes: subset.class_names.len(),
            images: items.len(),
            list: fingerprint(&subset.class_names, items),
        }
    }
}
