//! The images of a training, checked: which are missing, which cannot be decoded.

use std::collections::BTreeSet;

use promptsrc_datasets::{
    DataError, FewShotCache, Images, Item, Part, Subset, unreadable, unreadable_warning,
};
use promptsrc_image::Limits;

use crate::config::{FeatureConfig, HeadSettings, MethodConfig};
use crate::feature_training::FeatureError;
use crate::image_list;
use crate::records::DataRecord;

/// The checked training images of a subset. Missing images are either left out or an error.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingImages {
    /// Names of the classes, by label.
    pub class_names: Vec<String>,
    /// The images, in the order of the few-shot sampling.
    pub items: Vec<Item>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// Record of the images in an adapter.
    pub record: DataRecord,
    /// The validation images, on which some methods choose settings.
    validation: Images,
    allow_missing: bool,
}

impl TrainingImages {
    /// The training images of a subset; with `allow_missing`, missing images are left out.
    ///
    /// # Errors
    /// [`DataError`] if the subset cannot be trained on, or images are missing.
    pub fn of(subset: &Subset, allow_missing: bool) -> Result<Self, DataError> {
        subset.check_trainable()?;
        let images = subset.images(Part::Train, allow_missing)?;
        let mut warnings = Vec::new();
        if let (Some(shots), Some(first)) = (subset.shots, subset.short.first()) {
            let why = match &subset.few_shot_cache {
                Some(_) => " in the few-shot file",
                None => "; all of their images are used",
            };
            warnings.push(format!(
                "{} of {} classes have fewer than {shots} training images{why} (the first such \
                 class: {}, {})",
                subset.short.len(),
                subset.classes_in_all,
                first.name,
                first.images
            ));
        }
        if let Some(cache) = &subset.few_shot_cache {
            warnings.push(format!(
                "the few-shot images are those that the reference saved in {}; with \
                 --ignore-few-shot-cache they are drawn",
                cache.file.display()
            ));
        }
        warnings.extend(subset.bare_classes(Part::Train));
        warnings.extend(missing_warning(subset, Part::Train, &images));
        Ok(Self {
            class_names: subset.class_names.clone(),
            record: DataRecord {
                name: subset.data_set.clone(),
                split: None,
                classes: subset.classes.to_string(),
                shots: subset.shots,
                images: images.items.len(),
                seed: subset.seed,
                few_shot_cache: subset.few_shot_cache.as_ref().map(FewShotCache::for_record),
                exif: images.items.iter().any(|item| item.upright),
                // The files are read when the training begins.
                ..DataRecord::default()
            },
            items: images.items,
            warnings,
            // Whether any may be missing is decided where they are needed.
            validation: validation(subset),
            allow_missing,
        })
    }

    /// The images that can be decoded, all of which are decoded once, so that a run does not stop at
    /// one of the others; with `allow_unreadable` those are left out.
    ///
    /// # Errors
    /// [`DataError::Undecodable`] names the images that cannot be decoded, unless `allow_unreadable`;
    /// [`DataError::NoneDecodable`].
    pub fn readable(self, allow_unreadable: bool) -> Result<Self, DataError> {
        self.readable_with(allow_unreadable, &|_| ())
    }

    /// As [`readable`](Self::readable); `progress` receives the number of decoded images.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn readable_with(
        mut self,
        allow_unreadable: bool,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, DataError> {
        let labels =
            |items: &[Item]| -> BTreeSet<usize> { items.iter().map(|item| item.label).collect() };
        let (wanted, before) = (self.items.len(), labels(&self.items));
        let warning = leave_out_unreadable(&mut self.items, allow_unreadable, progress)?;
        let Some(warning) = warning else {
            return Ok(self);
        };
        self.warnings.push(warning);
        let bare = before.len() - labels(&self.items).len();
        if bare > 0 {
            self.warnings.push(format!(
                "{bare} of {} classes have no training images left",
                self.class_names.len()
            ));
        }
        self.record.images = self.items.len();
        self.record.unreadable = wanted - self.items.len();
        Ok(self)
    }

    /// As [`readable`](Self::readable), for the validation images, if the method chooses settings on them.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn readable_validation(
        mut self,
        config: &MethodConfig,
        allow_unreadable: bool,
    ) -> Result<Self, DataError> {
        if !config.needs_validation() || self.validation.items.is_empty() {
            return Ok(self);
        }
        let missing = missing_text(&self.record.name, Part::Val, &self.validation);
        self.warnings.extend(missing);
        let items = &mut self.validation.items;
        let warning = leave_out_unreadable(items, allow_unreadable, &|_| ())?;
        let warning = warning.map(|warning| format!("validation: {warning}"));
        self.warnings.extend(warning);
        Ok(self)
    }

    /// Checks, before any image is decoded, that a method has the validation images that it needs.
    ///
    /// # Errors
    /// [`FeatureError::NoValidation`], [`FeatureError::MissingValidation`].
    pub fn check_for(&self, config: &MethodConfig) -> Result<(), FeatureError> {
        if let MethodConfig::Features(config) = config {
            self.validation_of(config)?;
        }
        Ok(())
    }

    /// The validation images of a method that chooses settings on them.
    pub(crate) fn validation_of(&self, config: &FeatureConfig) -> Result<&[Item], FeatureError> {
        let Images {
            items,
            wanted,
            missing,
        } = &self.validation;
        let (method, data_set) = (config.method.clone(), self.record.name.clone());
        if !config.needs_validation() {
            return Ok(&[]);
        }
        if items.is_empty() {
            return Err(FeatureError::NoValidation {
                method,
                data_set,
                missing: *missing,
                can_do_without: !matches!(config.head, HeadSettings::LinearProbe(_)),
            });
        }
        if *missing > 0 && !self.allow_missing {
            return Err(FeatureError::MissingValidation {
                method,
                data_set,
                missing: *missing,
                wanted: *wanted,
            });
        }
        Ok(items)
    }

    /// Whether missing images are left out.
    pub(crate) fn allows_missing(&self) -> bool {
        self.allow_missing
    }

    /// The fingerprint of the validation images, as [`fingerprint`](Self::fingerprint).
    pub(crate) fn fingerprint_of_validation(&self) -> String {
        image_list::fingerprint(&self.class_names, &self.validation.items)
    }

    /// The fingerprint of the images: file names with their parent folders, labels and class names,
    /// in order.
    pub fn fingerprint(&self) -> String {
        image_list::fingerprint(&self.class_names, &self.items)
    }
}

/// The validation images that are there, and how many are not.
fn validation(subset: &Subset) -> Images {
    let wanted = subset.samples(Part::Val).len();
    // An error where none is there; whether that is one is decided where they are needed.
    subset.images(Part::Val, true).unwrap_or(Images {
        items: Vec::new(),
        missing: wanted,
        wanted,
    })
}

/// Decodes all images, and leaves out those that cannot be; a warning that names them.
fn leave_out_unreadable(
    items: &mut Vec<Item>,
    allow_unreadable: bool,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Option<String>, DataError> {
    let failures = unreadable(items, &Limits::default(), progress);
    let places: BTreeSet<usize> = failures.iter().map(|(place, _)| *place).collect();
    let errors = failures.into_iter().map(|(_, error)| error).collect();
    let warning = unreadable_warning(errors, items.len(), allow_unreadable)?;
    let mut place = 0;
    items.retain(|_| {
        place += 1;
        !places.contains(&(place - 1))
    });
    Ok(warning)
}

/// A warning if images are missing and left out.
pub fn missing_warning(subset: &Subset, part: Part, images: &Images) -> Option<String> {
    missing_text(&subset.data_set, part, images)
}

fn missing_text(data_set: &str, part: Part, images: &Images) -> Option<String> {
    (images.missing > 0).then(|| {
        format!(
            "{} of {} {part} images of {data_set} are missing and are left out",
            images.missing, images.wanted
        )
    })
}
