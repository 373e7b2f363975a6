//! The images of a few-shot subset and a choice of classes, and their files.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Classes, DataError, Dataset, FewShot, Item, NameList, Part, Presence};

/// An image of a part, with its label among the chosen classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Index into the part of the data set.
    pub index: usize,
    /// Index into [`Selection::class_names`].
    pub label: usize,
}

/// The images of some classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names of the chosen classes, by new label.
    pub class_names: Vec<String>,
    /// Few-shot training images.
    pub train: Vec<Sample>,
    /// Few-shot validation images.
    pub val: Vec<Sample>,
    /// All test images of the chosen classes.
    pub test: Vec<Sample>,
}

impl Selection {
    /// The samples of a part.
    pub fn part(&self, part: Part) -> &[Sample] {
        match part {
            Part::Train => &self.train,
            Part::Val => &self.val,
            Part::Test => &self.test,
        }
    }
}

/// What [`Dataset::items`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The images whose files exist, in the order asked for.
    pub items: Vec<Item>,
    /// How many were left out because their files are missing.
    pub dropped: usize,
}

impl Dataset {
    /// The images of some classes: few-shot picks for training and validation, all test images.
    ///
    /// As in the reference (`subsample_classes`), classes are chosen after sampling, so the base
    /// training images are those that a run on all classes would use. The labels in the train
    /// list (without one, in the test list) are sorted; the first `ceil(n / 2)` are base, the
    /// others novel; the chosen ones are renumbered from 0.
    ///
    /// # Errors
    /// [`DataError::NoNovelClasses`] if a half is asked for and fewer than two labels are in use;
    /// [`DataError::NoSuchItem`] if a pick is not an image of this data set.
    pub fn select(&self, few_shot: &FewShot, classes: Classes) -> Result<Selection, DataError> {
        let picked = |part: Part, places: &[usize]| {
            places
                .iter()
                .map(|index| match self.part(part).get(*index) {
                    Some(item) => Ok((*index, item.label)),
                    None => Err(DataError::NoSuchItem {
                        part,
                        index: *index,
                        len: self.part(part).len(),
                    }),
                })
                .collect::<Result<Vec<_>, _>>()
        };
        let train = picked(Part::Train, &few_shot.train)?;
        let val = picked(Part::Val, &few_shot.val)?;
        let test: Vec<_> = self.labels(Part::Test).into_iter().enumerate().collect();

        let chosen: Vec<usize> = if classes == Classes::All {
            (0..self.class_names.len()).collect()
        } else {
            let known = if train.is_empty() { &test } else { &train };
            let labels: BTreeSet<usize> = known.iter().map(|(_, label)| *label).collect();
            if labels.len() < 2 {
                return Err(DataError::NoNovelClasses {
                    name: self.name.clone(),
                });
            }
            let half = labels.len().div_ceil(2);
            match classes {
                Classes::Novel => labels.into_iter().skip(half).collect(),
                _ => labels.into_iter().take(half).collect(),
            }
        };
        let renumbered: BTreeMap<usize, usize> = chosen
            .iter()
            .enumerate()
            .map(|(new, old)| (*old, new))
            .collect();
        let keep = |list: Vec<(usize, usize)>| {
            list.into_iter()
                .filter_map(|(index, old)| {
                    renumbered.get(&old).map(|label| Sample {
                        index,
                        label: *label,
                    })
                })
                .collect()
        };
        Ok(Selection {
            class_names: chosen
                .iter()
                .filter_map(|label| self.class_names.get(*label).cloned())
                .collect(),
            train: keep(train),
            val: keep(val),
            test: keep(test),
        })
    }

    /// The images of some samples of a part, with the samples' labels.
    ///
    /// # Errors
    /// [`DataError::MissingImages`], which names missing files, unless `allow_missing`;
    /// [`DataError::NothingLeft`] if all of them are missing.
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
}
