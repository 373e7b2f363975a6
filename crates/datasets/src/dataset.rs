//! A data set: classes, and images in three parts.

use crate::cache_folder::CacheFolder;
use crate::{FewShotPicks, Item, Part, few_shot};

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
    /// Whether no split was given, so that this program divided the images into the parts.
    pub is_divided: bool,
    /// Where few-shot subsets that the reference saved are looked for.
    pub caches: Option<CacheFolder>,
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

    /// The same images, turned by their EXIF orientation or, as in the reference, as they are stored.
    pub fn upright(mut self, upright: bool) -> Self {
        for part in Part::ALL {
            self.part_mut(part)
                .iter_mut()
                .for_each(|item| item.upright = upright);
        }
        self
    }

    /// The labels of a part, in order.
    pub fn labels(&self, part: Part) -> Vec<usize> {
        self.part(part).iter().map(|item| item.label).collect()
    }

    /// Places of the reference's few-shot samples; see [`few_shot`](few_shot()).
    pub fn few_shot_picks(&self, shots: usize, seed: u64) -> FewShotPicks {
        few_shot(
            &self.labels(Part::Train),
            &self.labels(Part::Val),
            shots,
            seed,
        )
    }
}
