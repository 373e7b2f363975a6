//! Where a benchmark's data sets come from: the library knows neither folders nor drawn worlds.

use promptsrc_datasets::Dataset;

/// A collection of data sets.
pub trait Root: Sync {
    /// Its data sets, in the order in which plans take them.
    fn sets(&self) -> Vec<RootSet>;

    /// Reads one of them; no image is opened.
    ///
    /// # Errors
    /// [`RootError`].
    fn open(&self, name: &str) -> Result<Dataset, RootError>;

    /// Its sentence around a class name, `{}`.
    fn template(&self, name: &str) -> String;

    /// Where it is, as a run remembers it and `promptsrc train --data` takes it.
    fn place(&self, name: &str) -> String;
}

/// A data set of a root, before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSet {
    /// Its name, in results and in the paths of runs.
    pub name: String,
    /// Other names that it is chosen by.
    pub aliases: Vec<String>,
    /// Its part in cross-dataset transfer and domain generalisation.
    pub role: Role,
    /// Whether base-to-novel generalisation and few-shot learning are measured on it unless
    /// others are chosen.
    pub is_own: bool,
    /// How large it is, to estimate what a run costs; it need not be exact.
    pub size: SetSize,
}

/// The part that a data set has in protocols that train on one and measure on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is trained on: ImageNet.
    Source,
    /// Transfer to it is measured: the ten other data sets.
    Target,
    /// It has the source's classes in other images: ImageNetV2, -Sketch, -A and -R.
    Shifted,
    /// None.
    Apart,
}

/// Classes and images of a data set, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetSize {
    /// Classes.
    pub classes: usize,
    /// Test images of all classes.
    pub test: usize,
}

impl RootSet {
    /// Whether a person means this one by `name`: case, blanks and signs do not count.
    pub fn is_called(&self, name: &str) -> bool {
        let names = std::iter::once(&self.name).chain(&self.aliases);
        names.into_iter().any(|own| plain(own) == plain(name))
    }
}

/// A name without case, blanks and signs.
pub(crate) fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A data set that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the data set {name}: {source}")]
pub struct RootError {
    /// The data set.
    pub name: String,
    /// What is wrong.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
