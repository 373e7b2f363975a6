//! The images of a sweep's runs: those that are trained on and those that are measured, with the
//! options that decide about missing and unreadable ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use promptsrc::{DataError, Limits, Part, Subset, TrainingImages, fingerprint, missing_warning};
use promptsrc_datasets::{FewShotCache, Images, unreadable, unreadable_warning};

use crate::collection::{DatasetCollection, OpenedDataset};
use crate::facts::ImageFacts;
use crate::plan::PlannedRun;
use crate::protocol::Target;
use crate::results::{Measured, RunResult};
use crate::sweep_error::SweepError;

/// Reads the data sets of a collection, each once.
pub(crate) struct SweepImages<'a> {
    pub(crate) collection: &'a dyn DatasetCollection,
    /// Whether missing images are left out.
    pub(crate) allow_missing: bool,
    /// Whether images that cannot be decoded are left out.
    pub(crate) allow_unreadable: bool,
    /// Whether images are turned by their EXIF orientation.
    pub(crate) upright: bool,
    /// Whether few-shot images are drawn even where the reference saved some.
    pub(crate) ignore_few_shot_caches: bool,
    data_sets: Mutex<BTreeMap<String, Arc<OpenedDataset>>>,
    /// Targets whose images are known to be decodable, or may be left out.
    decoded: Mutex<BTreeSet<(String, String)>>,
}

/// The images of a target.
pub(crate) struct TargetImages {
    pub(crate) opened: Arc<OpenedDataset>,
    /// Its classes and lists.
    pub(crate) subset: Subset,
    /// Its test images that exist.
    pub(crate) images: Images,
}

impl<'a> SweepImages<'a> {
    pub(crate) fn new(collection: &'a dyn DatasetCollection) -> Self {
        Self {
            collection,
            allow_missing: false,
            allow_unreadable: false,
            upright: false,
            ignore_few_shot_caches: false,
            data_sets: Mutex::default(),
            decoded: Mutex::default(),
        }
    }

    /// A data set, which is read only once; what a person should know about it is said then.
    pub(crate) fn data_set(
        &self,
        name: &str,
        warn: &dyn Fn(&str),
    ) -> Result<Arc<OpenedDataset>, SweepError> {
        let mut read = self
            .data_sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(dataset) = read.get(name) {
            return Ok(dataset.clone());
        }
        let mut opened = self.collection.open(name)?;
        opened.dataset = opened.dataset.upright(self.upright);
        let opened = Arc::new(opened);
        for warning in &opened.warnings {
            warn(&format!("{name}: {warning}"));
        }
        read.insert(name.to_string(), opened.clone());
        Ok(opened)
    }

    /// What a run is trained on, those with missing files included.
    fn training_subset(
        &self,
        run: &PlannedRun,
        seed: u64,
        warn: &dyn Fn(&str),
    ) -> Result<(Arc<OpenedDataset>, Subset), SweepError> {
        let name = &run.id.data_set;
        let data = |source| SweepError::data(name, source);
        let opened = self.data_set(name, warn)?;
        let sampled = match self.ignore_few_shot_caches {
            true => opened.dataset.sampled(run.id.shots, seed),
            false => {
                let saved = opened.dataset.sampled_as_saved(run.id.shots, seed);
                saved.map_err(data)?
            }
        };
        let subset = sampled.select(run.id.protocol.learned()).map_err(data)?;
        Ok((opened, subset))
    }

    /// The training images of a run, and facts about them. Whether they can be decoded is not known.
    pub(crate) fn training(
        &self,
        run: &PlannedRun,
        seed: u64,
        warn: &dyn Fn(&str),
    ) -> Result<(TrainingImages, ImageFacts), SweepError> {
        let (opened, subset) = self.training_subset(run, seed, warn)?;
        let images = TrainingImages::of(&subset, self.allow_missing)
            .map_err(|source| SweepError::data(&run.id.data_set, source))?;
        let facts = ImageFacts {
            used: images.items.len(),
            left_out: subset.samples(Part::Train).len() - images.items.len(),
            unreadable: 0,
            split: opened.split.clone(),
            few_shot_cache: images.record.few_shot_cache.clone(),
        };
        Ok((images, facts))
    }

    /// The test images of a target.
    pub(crate) fn target(
        &self,
        target: &Target,
        warn: &dyn Fn(&str),
    ) -> Result<TargetImages, SweepError> {
        let data = |source| SweepError::data(&target.data_set, source);
        let opened = self.data_set(&target.data_set, warn)?;
        // All training images; which classes are base does not depend on shots or seed.
        let subset = opened.dataset.whole();
        let subset = subset.select(target.classes).map_err(data)?;
        subset.check_classes().map_err(data)?;
        let images = subset
            .images(Part::Test, self.allow_missing)
            .map_err(data)?;
        Ok(TargetImages {
            opened,
            subset,
            images,
        })
    }

    /// Fails, before a training, where test images of a target cannot be decoded, unless they are
    /// left out. They are decoded once in a sweep; `begin` receives the data set and their number.
    pub(crate) fn check_decodable(
        &self,
        target: &Target,
        warn: &dyn Fn(&str),
        begin: &dyn Fn(&str, usize),
    ) -> Result<(), SweepError> {
        if self.allow_unreadable {
            return Ok(());
        }
        let key = (target.data_set.clone(), target.classes.to_string());
        // Held while the images are decoded: other threads would decode the same.
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        if decoded.contains(&key) {
            return Ok(());
        }
        let items = self.target(target, warn)?.images.items;
        if items.iter().any(|item| item.drawing.is_none()) {
            begin(&target.data_set, items.len());
        }
        let failures = unreadable(&items, &Limits::default(), &|_| ());
        let errors = failures.into_iter().map(|(_, error)| error).collect();
        unreadable_warning(errors, items.len(), false)
            .map_err(|source: DataError| SweepError::data(&target.data_set, source))?;
        decoded.insert(key);
        Ok(())
    }

    /// Whether a measurement left out images that may not be left out now, or that have been added.
    pub(crate) fn is_outdated(
        &self,
        measured: &Measured,
        target: &Target,
        missing_were_allowed: bool,
        warn: &dyn Fn(&str),
    ) -> Result<bool, SweepError> {
        let Some(facts) = &measured.image_facts else {
            // Earlier versions did not count them.
            return Ok(missing_were_allowed && !self.allow_missing);
        };
        if facts.left_out == 0 {
            return Ok(false);
        }
        if self.may_not_leave_out(facts) {
            return Ok(true);
        }
        let there = self.target(target, warn)?.images.items.len();
        Ok(there != facts.used + facts.unreadable)
    }

    /// Whether images were left out that may not be left out now.
    pub(crate) fn may_not_leave_out(&self, facts: &ImageFacts) -> bool {
        let missing = facts.left_out.saturating_sub(facts.unreadable);
        (missing > 0 && !self.allow_missing) || (facts.unreadable > 0 && !self.allow_unreadable)
    }

    /// Fails where the few-shot images of a finished run are others than those that would be trained
    /// on now, because a file of the reference has been added, changed or removed.
    pub(crate) fn check_few_shot_cache(
        &self,
        run: &PlannedRun,
        result: &RunResult,
        warn: &dyn Fn(&str),
    ) -> Result<Option<String>, SweepError> {
        let (Some(shots), Some(config)) = (run.id.shots, &run.config) else {
            return Ok(None);
        };
        let location = self.collection.location(&run.id.data_set);
        let file = FewShotCache::path(location.as_ref(), shots, config.seed());
        let facts = result.facts.as_ref();
        let trained_on = facts.and_then(|facts| facts.trained_on.as_ref());
        let saved = trained_on.and_then(|facts| facts.few_shot_cache.as_ref());
        let is_used = !self.ignore_few_shot_caches && file.exists();
        if (saved.is_none() && !is_used) || trained_on.is_some_and(|facts| facts.left_out > 0) {
            return Ok(None);
        }
        let (_, subset) = self.training_subset(run, config.seed(), warn)?;
        let items: Vec<_> = subset.samples(Part::Train).iter().collect();
        let items: Vec<_> = items.iter().map(|sample| sample.item.clone()).collect();
        let asked = fingerprint(&subset.class_names, &items);
        if result.trained_on.as_ref() == Some(&asked) {
            return Ok(None);
        }
        let name = |cache: Option<&FewShotCache>| match cache {
            Some(cache) => format!("those of {} (hash {})", cache.file.display(), cache.hash),
            None => "drawn".to_string(),
        };
        Ok(Some(format!(
            "few-shot images: {} in the folder, {} requested",
            name(saved),
            name(subset.few_shot_cache.as_ref())
        )))
    }
}

impl TargetImages {
    /// A warning if images are missing and left out.
    pub(crate) fn warning(&self) -> Option<String> {
        missing_warning(&self.subset, Part::Test, &self.images)
    }
}
