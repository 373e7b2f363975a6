//! A data set: classes, and images in three parts.

use crate::{DataError, FewShot, Item, Part, few_shot};

/// A data set as its source lists it, missing files included.
///
/// The full lists are kept because few-shot sampling draws from them: dropping a missing file
/// first would change every pick after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// Its name, from that of its folder or file.
    pub name: String,
    /// Names of the classes, by label.
    pub class_names: Vec<String>,
    /// Training images.
    pub train: Vec<Item>,
    /// Validation images.
    pub val: Vec<Item>,
    /// Test images.
    pub test: Vec<Item>,
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

    /// Checks that a model can be trained: at least two classes, and training images.
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

    /// Checks that a part has images.
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
