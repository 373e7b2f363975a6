//! A collection of data sets, as a benchmark sees it: neither folders nor drawn images.

use promptsrc_datasets::{Dataset, Split};

/// A collection of data sets.
pub trait DatasetCollection: Sync {
    /// Its data sets, in the order in which plans take them.
    fn sets(&self) -> Vec<DatasetEntry>;

    /// Reads one of them; no image is opened.
    ///
    /// # Errors
    /// [`CollectionError`].
    fn open(&self, name: &str) -> Result<OpenedDataset, CollectionError>;

    /// The prompt template of a data set, with `{}` for the class name.
    fn template(&self, name: &str) -> String;

    /// Where a data set is, as it is recorded in a run and as `promptsrc train --data` takes it.
    fn location(&self, name: &str) -> String;
}

/// A data set of a collection, read.
#[derive(Clone, Debug, Default)]
pub struct OpenedDataset {
    /// Its lists.
    pub dataset: Dataset,
    /// Which split it has; `None` for data sets that are not of the paper.
    pub split: Option<Split>,
    /// What a person should know about it.
    pub warnings: Vec<String>,
}

/// A data set of a collection, before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetEntry {
    /// Its name, in results and in the paths of runs.
    pub name: String,
    /// Other names that select it.
    pub aliases: Vec<String>,
    /// Its part in cross-dataset transfer and domain generalisation.
    pub role: TransferRole,
    /// Whether base-to-novel generalisation and few-shot learning are measured on it unless
    /// other data sets are chosen.
    pub measured_by_default: bool,
    /// Its approximate size, to estimate the cost of a run.
    pub size: DatasetSize,
}

/// The part of a data set in the protocols that train on one data set and measure on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferRole {
    /// Trained on: ImageNet.
    Source,
    /// Measured in cross-dataset transfer: the ten other data sets.
    Target,
    /// The source's classes in images of another domain: ImageNetV2, -Sketch, -A and -R.
    Shifted,
    /// Not used by these protocols.
    None,
}

/// Approximate numbers of classes and images of a data set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatasetSize {
    /// Classes.
    pub classes: usize,
    /// Test images of all classes.
    pub test: usize,
}

impl DatasetEntry {
    /// Whether `name` is one of its names; case, spaces and punctuation do not count.
    pub fn matches_name(&self, name: &str) -> bool {
        let names = std::iter::once(&self.name).chain(&self.aliases);
        names
            .into_iter()
            .any(|own| normalized(own) == normalized(name))
    }
}

/// A name without case, spaces and punctuation.
pub(crate) fn normalized(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A data set that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the data set {name}: {source}")]
pub struct CollectionError {
    /// The data set.
    pub name: String,
    /// What is wrong.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
