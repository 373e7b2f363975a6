//! A data set: classes, and images in three parts.

use std::path::PathBuf;

use promptsrc_image::{Image, ImageError, Limits, open};

use crate::{DataError, Drawing, FewShot, NameList, Sample, few_shot};

/// One labelled image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The image's file; of a drawn image the name that tells it from others.
    pub path: PathBuf,
    /// Its class: a place in [`Dataset::class_names`].
    pub label: usize,
    /// Whether the file was there when the data set was read.
    pub presence: Presence,
    /// What draws the image, where it is in no file.
    pub drawing: Option<Drawing>,
}

impl Item {
    /// An image whose file is taken to be there.
    pub fn new(path: impl Into<PathBuf>, label: usize) -> Self {
        Self {
            path: path.into(),
            label,
            presence: Presence::Present,
            drawing: None,
        }
    }

    /// An image that is drawn when it is asked for; `name` tells it from others, as a path would.
    pub fn drawn(name: impl Into<PathBuf>, label: usize, drawing: Drawing) -> Self {
        Self {
            drawing: Some(drawing),
            ..Self::new(name, label)
        }
    }

    /// The image itself: decoded from its file within the limits, or drawn.
    ///
    /// # Errors
    /// Any [`ImageError`] of decoding, with the file's name.
    pub fn image(&self, limits: &Limits) -> Result<Image, ImageError> {
        match &self.drawing {
            Some(drawing) => Ok(drawing.draw()),
            None => open(&self.path, limits),
        }
    }
}

/// Whether a listed file can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is there.
    #[default]
    Present,
    /// There is no such file.
    Missing,
    /// Its folder may not be read.
    Unreadable,
}

/// The parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Training.
    Train,
    /// Validation; PromptSRC never uses it.
    Val,
    /// Test.
    Test,
}

impl Part {
    /// All parts, in the order in which the reference reads them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The part of that name; the usual synonyms of validation are understood.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Val),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

/// A data set as its source lists it, files that are missing included.
///
/// The full lists are kept because few-shot sampling draws from them: dropping a missing file
/// first would change every pick after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// What to call it; from the name of its folder or file.
    pub name: String,
    /// Names of the classes, by label.
    pub class_names: Vec<String>,
    /// Images to train on.
    pub train: Vec<Item>,
    /// Images to validate with.
    pub val: Vec<Item>,
    /// Images to test with.
    pub test: Vec<Item>,
}

/// What [`Dataset::items`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The images that are there, in the order asked for.
    pub items: Vec<Item>,
    /// How many were left out because their files are not.
    pub dropped: usize,
}

impl Dataset {
    /// The images of a part.
    pub fn part(&self, part: Part) -> &[Item] {
        match part {
            Part::Train => &self.train,
            Part::Val => &self.val,
            Part::Test => &self.test,
        }
    }

    pub(crate) fn part_mut(&mut self, part: Part) -> &mut Vec<Item> {
        match part {
            Part::Train => &mut self.train,
            Part::Val => &mut self.val,
            Part::Test => &mut self.test,
        }
    }

    /// The labels of a part, in order.
    pub fn labels(&self, part: Part) -> Vec<usize> {
        self.part(part).iter().map(|item| item.label).collect()
    }

    /// The reference's few-shot picks of this data set; see [`few_shot`](few_shot()).
    pub fn few_shot(&self, shots: usize, seed: u64) -> FewShot {
        few_shot(
            &self.labels(Part::Train),
            &self.labels(Part::Val),
            shots,
            seed,
        )
    }

    /// The images of some samples of a part, with the samples' labels.
    ///
    /// # Errors
    /// [`DataError::MissingImages`] names files that are not there, unless `allow_missing`;
    /// [`DataError::NothingLeft`] where all of them are not.
    pub fn items(
        &self,
        part: Part,
        samples: &[Sample],
        allow_missing: bool,
    ) -> Result<Resolved, DataError> {
        let mut resolved = Resolved::default();
        let (mut missing, mut unreadable) = (NameList::default(), NameList::default());
        for sample in samples {
            let Some(item) = self.part(part).get(sample.index) else {
                let (index, len) = (sample.index, self.part(part).len());
                return Err(DataError::NoSuchItem { part, index, len });
            };
            match item.presence {
                Presence::Present => {
                    resolved.items.push(Item {
                        label: sample.label,
                        ..item.clone()
                    });
                }
                Presence::Missing => missing.push(&item.path),
                Presence::Unreadable => unreadable.push(&item.path),
            }
        }
        resolved.dropped = missing.count() + unreadable.count();
        if resolved.dropped > 0 && !allow_missing {
            let wanted = samples.len();
            return Err(DataError::MissingImages {
                part,
                wanted,
                missing,
                unreadable,
            });
        }
        if resolved.dropped > 0 && resolved.items.is_empty() {
            return Err(DataError::NothingLeft {
                part,
                wanted: samples.len(),
            });
        }
        Ok(resolved)
    }

    /// Fails where training makes no sense: fewer than two classes, or no training images.
    ///
    /// # Errors
    /// [`DataError::TooFewClasses`], [`DataError::EmptyPart`].
    pub fn check_trainable(&self) -> Result<(), DataError> {
        if self.class_names.len() < 2 {
            return Err(DataError::TooFewClasses {
                name: self.name.clone(),
                classes: self.class_names.clone(),
            });
        }
        self.check_part(Part::Train)
    }

    /// Fails where a part has no images.
    ///
    /// # Errors
    /// [`DataError::EmptyPart`].
    pub fn check_part(&self, part: Part) -> Result<(), DataError> {
        if self.part(part).is_empty() {
            return Err(DataError::EmptyPart {
                name: self.name.clone(),
                part,
            });
        }
        Ok(())
    }
}
