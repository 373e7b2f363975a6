//! Which classes take part: all, or one half for base-to-novel generalisation.

use std::collections::{BTreeMap, BTreeSet};

use crate::{DataError, Dataset, FewShot, Part};

/// A choice of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Classes {
    /// All of them, under their own labels.
    #[default]
    All,
    /// The first half of the labels (one more where their number is odd).
    Base,
    /// The rest, never trained on.
    Novel,
}

/// An image of a part and the label it goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Place in the part of the data set.
    pub index: usize,
    /// Place in [`Selection::class_names`].
    pub label: usize,
}

/// The images of some classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names of the chosen classes, by their new labels.
    pub class_names: Vec<String>,
    /// Few-shot training images.
    pub train: Vec<Sample>,
    /// Few-shot validation images.
    pub val: Vec<Sample>,
    /// Test images, all of the chosen classes.
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

impl Dataset {
    /// The images of some classes: few-shot picks for training and validation, all for test.
    ///
    /// As in the reference (`subsample_classes`) the choice is made after sampling, so base
    /// training images are those that a run on all classes would get. The labels that the train
    /// list (or, without one, the test list) uses are sorted; the first `ceil(n / 2)` are base, the
    /// others novel; the chosen ones are numbered from 0 again.
    ///
    /// # Errors
    /// [`DataError::NoNovelClasses`] where fewer than two labels are in use and only a half is
    /// asked for; [`DataError::NoSuchItem`] where a pick is not of this data set.
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
}
