//! Some of a data set: a few shots or all images, of all classes or of one half of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use crate::error::SPELLED_OUT;
use crate::{
    Classes, DataError, Dataset, FewShotCache, FewShotPicks, Item, NameList, Part, Presence,
};

/// Images of a data set that are chosen for a run: few-shot samples for training and validation, all
/// for test, of the chosen classes.
///
/// ```no_run
/// use promptsrc_datasets::{Dataset, Part};
///
/// let data = Dataset::open("eurosat")?.few_shot(16, 1).base()?;
/// let train = data.images(Part::Train, false)?;
/// # Ok::<(), promptsrc_datasets::DataError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subset {
    /// Name of the data set.
    pub data_set: String,
    /// Names of the chosen classes, by label.
    pub class_names: Vec<String>,
    /// Which classes these are.
    pub classes: Classes,
    /// Shots per class; `None`: all images.
    pub shots: Option<usize>,
    /// Seed of the few-shot sampling.
    pub seed: u64,
    /// Classes with fewer training images than shots, all classes of the data set considered.
    pub short: Vec<ShortClass>,
    /// Number of classes of the data set.
    pub classes_in_all: usize,
    /// The file of the reference that the few-shot samples are from, if they are not drawn here.
    pub few_shot_cache: Option<FewShotCache>,
    /// As [`Dataset::is_divided`].
    is_divided: bool,
    parts: [Vec<Sample>; 3],
}

/// A class that has fewer training images than shots, and is taken whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortClass {
    /// Its name.
    pub name: String,
    /// Its training images.
    pub images: usize,
}

/// An image of a subset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Index into the part of the data set.
    pub index: usize,
    /// The image, with its index into [`Subset::class_names`] as label.
    pub item: Item,
}

/// The images of a part that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// In the order of the subset.
    pub items: Vec<Item>,
    /// How many were left out because their files are missing.
    pub missing: usize,
    /// How many there should be.
    pub wanted: usize,
}

impl Dataset {
    /// The reference's few-shot samples of all classes; see [`few_shot`](crate::few_shot()). Test images
    /// are taken whole.
    pub fn few_shot(&self, shots: usize, seed: u64) -> Subset {
        self.sampled(Some(shots), seed)
    }

    /// All images of all classes.
    pub fn whole(&self) -> Subset {
        self.sampled(None, 0)
    }

    /// [`few_shot`](Self::few_shot), or all images where there are no `shots`.
    pub fn sampled(&self, shots: Option<usize>, seed: u64) -> Subset {
        // 0 shots take every image.
        let picks = self.few_shot_picks(shots.unwrap_or(0), seed);
        self.picked(shots, seed, &picks)
    }

    /// As [`sampled`](Self::sampled), but with the few-shot samples that the reference saved in
    /// `split_fewshot/shot_K-seed_S.pkl` where there is such a file, as the reference does.
    ///
    /// # Errors
    /// [`DataError::Pickle`] if the file is not one of the reference or does not fit the data set.
    pub fn sampled_as_saved(&self, shots: Option<usize>, seed: u64) -> Result<Subset, DataError> {
        let saved = match shots {
            Some(shots) => self.saved_few_shot(shots, seed)?,
            None => None,
        };
        Ok(match saved {
            Some((cache, picks)) => Subset {
                few_shot_cache: Some(cache),
                ..self.picked(shots, seed, &picks)
            },
            None => self.sampled(shots, seed),
        })
    }

    fn picked(&self, shots: Option<usize>, seed: u64, picks: &FewShotPicks) -> Subset {
        let samples = |part: Part, places: &[usize]| {
            let all = self.part(part);
            let sample = |index: &usize| {
                let item = all.get(*index)?.clone();
                Some(Sample {
                    index: *index,
                    item,
                })
            };
            let mut samples = Vec::with_capacity(places.len());
            samples.extend(places.iter().filter_map(sample));
            samples
        };
        let test: Vec<usize> = (0..self.test.len()).collect();
        let short = picks.short.iter().map(|(label, images)| ShortClass {
            name: self.class_names.get(*label).cloned().unwrap_or_default(),
            images: *images,
        });
        Subset {
            data_set: self.name.clone(),
            class_names: self.class_names.clone(),
            classes: Classes::All,
            shots,
            seed,
            short: short.collect(),
            classes_in_all: self.class_names.len(),
            few_shot_cache: None,
            is_divided: self.is_divided,
            parts: [
                samples(Part::Train, &picks.train),
                samples(Part::Val, &picks.val),
                samples(Part::Test, &test),
            ],
        }
    }
}

impl Subset {
    /// The first half of the classes, one more where their number is odd.
    ///
    /// # Errors
    /// As [`select`](Self::select).
    pub fn base(self) -> Result<Self, DataError> {
        self.select(Classes::Base)
    }

    /// The other half of the classes.
    ///
    /// # Errors
    /// As [`select`](Self::select).
    pub fn novel(self) -> Result<Self, DataError> {
        self.select(Classes::Novel)
    }

    /// Some of the classes, numbered from 0 again.
    ///
    /// As in the reference (`subsample_classes`) the choice is made after sampling, so base
    /// training images are those that a run on all classes would get. The labels that the training
    /// images (or, without any, the test images) use are sorted; the first `ceil(n / 2)` are base,
    /// the others novel. Where no split was given, all classes count: a small one may by chance have
    /// no training images.
    ///
    /// # Errors
    /// [`DataError::NoNovelClasses`] where fewer than two labels are in use and a half is asked for.
    pub fn select(mut self, classes: Classes) -> Result<Self, DataError> {
        if classes == Classes::All {
            return Ok(self);
        }
        let [train, _, test] = &self.parts;
        let known = if train.is_empty() { test } else { train };
        let labels: BTreeSet<usize> = match self.is_divided {
            true => (0..self.class_names.len()).collect(),
            false => known.iter().map(|sample| sample.item.label).collect(),
        };
        if labels.len() < 2 {
            return Err(DataError::NoNovelClasses {
                name: self.data_set,
            });
        }
        let half = labels.len().div_ceil(2);
        let chosen: Vec<usize> = match classes {
            Classes::Novel => labels.into_iter().skip(half).collect(),
            _ => labels.into_iter().take(half).collect(),
        };
        let new_label: BTreeMap<usize, usize> = chosen
            .iter()
            .enumerate()
            .map(|(new, old)| (*old, new))
            .collect();
        for part in &mut self.parts {
            part.retain_mut(|sample| match new_label.get(&sample.item.label) {
                Some(label) => {
                    sample.item.label = *label;
                    true
                }
                None => false,
            });
        }
        self.class_names = chosen
            .iter()
            .filter_map(|label| self.class_names.get(*label).cloned())
            .collect();
        self.classes = classes;
        Ok(self)
    }

    /// All images, each once, as test images: for a folder that was held out as a whole.
    pub fn all_as_test(mut self) -> Self {
        let [train, val, test] = std::mem::take(&mut self.parts);
        let mut seen: HashSet<PathBuf> = HashSet::new();
        let all = [train, val, test].into_iter().flatten();
        let all = all.filter(|sample| seen.insert(sample.item.path.clone()));
        self.parts = [Vec::new(), Vec::new(), all.collect()];
        self
    }

    /// The samples of a part, those with missing files included.
    pub fn samples(&self, part: Part) -> &[Sample] {
        let [train, val, test] = &self.parts;
        match part {
            Part::Train => train,
            Part::Val => val,
            Part::Test => test,
        }
    }

    /// The images of a part.
    ///
    /// # Errors
    /// [`DataError::MissingImages`] names files that are not there, unless `allow_missing`;
    /// [`DataError::NothingLeft`] where none of them is; [`DataError::EmptyPart`] where the data set
    /// lists none.
    pub fn images(&self, part: Part, allow_missing: bool) -> Result<Images, DataError> {
        let samples = self.samples(part);
        let wanted = samples.len();
        let mut images = Images {
            wanted,
            ..Images::default()
        };
        let (mut missing, mut unreadable) = (NameList::default(), NameList::default());
        for Sample { item, .. } in samples {
            match item.presence {
                Presence::Present => images.items.push(item.clone()),
                Presence::Missing => missing.push(&item.path),
                Presence::Unreadable => unreadable.push(&item.path),
            }
        }
        images.missing = missing.count() + unreadable.count();
        if images.missing > 0 && !allow_missing {
            return Err(DataError::MissingImages {
                part,
                wanted,
                missing,
                unreadable,
            });
        }
        if images.items.is_empty() {
            return Err(match images.missing {
                0 => DataError::EmptyPart {
                    name: self.data_set.clone(),
                    part,
                },
                _ => DataError::NothingLeft { part, wanted },
            });
        }
        Ok(images)
    }

    /// A warning where classes have no images in a part, which no list of the images shows.
    pub fn bare_classes(&self, part: Part) -> Option<String> {
        let labels: BTreeSet<usize> = self.samples(part).iter().map(|s| s.item.label).collect();
        let named = self.class_names.iter().enumerate();
        let bare = named.filter(|(label, _)| !labels.contains(label));
        let bare: Vec<&str> = bare.map(|(_, name)| name.as_str()).collect();
        (!bare.is_empty()).then(|| {
            let (some, more) = bare.split_at(bare.len().min(SPELLED_OUT));
            let more = match more.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let advice = match self.is_divided {
                true => "; add images, or choose the parts yourself with folders train and test",
                false => "",
            };
            let all = self.class_names.len();
            let count = match bare.len() {
                1 => format!("1 of {all} classes has"),
                n => format!("{n} of {all} classes have"),
            };
            format!(
                "{count} no {part} images: {}{more}{advice}",
                some.join(", ")
            )
        })
    }

    /// Fails where there are not two classes to tell apart.
    ///
    /// # Errors
    /// [`DataError::TooFewClasses`].
    pub fn check_classes(&self) -> Result<(), DataError> {
        match self.class_names.len() {
            0 | 1 => Err(DataError::TooFewClasses {
                name: self.data_set.clone(),
                classes: self.class_names.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Fails where training makes no sense: fewer than two classes, or no training images.
    ///
    /// # Errors
    /// [`DataError::TooFewClasses`], [`DataError::EmptyPart`].
    pub fn check_trainable(&self) -> Result<(), DataError> {
        self.check_classes()?;
        match self.samples(Part::Train).is_empty() {
            true => Err(DataError::EmptyPart {
                name: self.data_set.clone(),
                part: Part::Train,
            }),
            false => Ok(()),
        }
    }
}
