//! Split-conformal prediction sets: scores of calibration images, thresholds, and sets of classes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{NumbersError, finite};
use crate::logits::{LabelledLogits, check_row};
use crate::quantile::conformal_quantile;
use crate::raps::Raps;
use crate::softmax::ranking;
use crate::{aps, lac};

/// A way to make prediction sets, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SetMethod {
    /// Classes that are probable enough.
    Lac,
    /// Classes until their probabilities are enough together.
    Aps,
    /// The same with a penalty on late ranks.
    Raps,
}

/// A name that is not that of a [`SetMethod`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of prediction sets, expected lac, aps or raps")]
pub struct UnknownSetMethod(pub String);

impl SetMethod {
    /// All.
    pub const ALL: [Self; 3] = [Self::Lac, Self::Aps, Self::Raps];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lac => "lac",
            Self::Aps => "aps",
            Self::Raps => "raps",
        }
    }
}

impl fmt::Display for SetMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SetMethod {
    type Err = UnknownSetMethod;

    fn from_str(name: &str) -> Result<Self, UnknownSetMethod> {
        let found = Self::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| UnknownSetMethod(name.to_string()))
    }
}

/// The score of each class of an image, by which a class is in the set or not: the lower, the likelier.
///
/// All scores are computed at CLIP's own temperature. A temperature that was fitted on the calibration images
/// would make their scores and those of new images not quite exchangeable, which the promise rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SetScore {
    /// 1 - probability.
    Lac,
    /// Probability of the classes ranked before.
    Aps,
    /// The same with a penalty on late ranks.
    Raps(Raps),
}

/// What the scores of the classes in a set do not exceed.
#[derive(Clone, Debug, PartialEq)]
pub enum Threshold {
    /// One for all classes; infinite where the images are too few.
    Marginal(f64),
    /// One for each class; infinite for those whose images are too few, which are in every set.
    ByClass(Vec<f64>),
}

impl Threshold {
    fn of(&self, class: usize) -> f64 {
        match self {
            Self::Marginal(all) => *all,
            Self::ByClass(each) => each.get(class).copied().unwrap_or(f64::INFINITY),
        }
    }
}

impl SetScore {
    /// Its name.
    pub fn method(&self) -> SetMethod {
        match self {
            Self::Lac => SetMethod::Lac,
            Self::Aps => SetMethod::Aps,
            Self::Raps(_) => SetMethod::Raps,
        }
    }

    /// The scores of all classes, from a row of finite logits.
    pub fn scores(&self, row: &[f32]) -> Vec<f64> {
        match self {
            Self::Lac => lac::scores(row),
            Self::Aps => aps::scores(row).into_iter().map(|of| of.0).collect(),
            Self::Raps(raps) => raps.scores(row),
        }
    }

    /// The classes whose scores do not exceed the threshold, the most probable first.
    ///
    /// # Errors
    /// [`NumbersError`] if a logit is not finite, or there is not a threshold for each.
    pub fn set(&self, row: &[f32], threshold: &Threshold) -> Result<Vec<usize>, NumbersError> {
        let classes = match threshold {
            Threshold::Marginal(_) => row.len(),
            Threshold::ByClass(each) => each.len(),
        };
        check_row(row, classes)?;
        let scores = self.scores(row);
        let mut set = ranking(row);
        set.retain(|class| scores[*class] <= threshold.of(*class));
        Ok(set)
    }
}

/// The scores that the true classes of calibration images have, by class and in increasing order.
#[derive(Clone, Debug, PartialEq)]
pub struct ConformalScores {
    by_class: Vec<Vec<f64>>,
    all: Vec<f64>,
}

impl ConformalScores {
    /// Those of labelled images.
    ///
    /// # Errors
    /// [`NumbersError::Empty`] without images.
    pub fn fit(score: &SetScore, images: &LabelledLogits) -> Result<Self, NumbersError> {
        let mut by_class = vec![Vec::new(); images.classes()];
        for (label, row) in images.rows() {
            by_class[label].push(score.scores(row)[label]);
        }
        Self::of(by_class)
    }

    /// Those that are known: of each class, in any order.
    ///
    /// # Errors
    /// [`NumbersError`] if there are none, or one is not finite.
    pub fn of(mut by_class: Vec<Vec<f64>>) -> Result<Self, NumbersError> {
        for score in by_class.iter().flatten() {
            finite("a conformal score", *score)?;
        }
        by_class.iter_mut().for_each(|s| s.sort_by(f64::total_cmp));
        let mut all: Vec<f64> = by_class.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        match all.is_empty() {
            true => Err(NumbersError::Empty),
            false => Ok(Self { by_class, all }),
        }
    }

    /// The scores of each class, in increasing order.
    pub fn by_class(&self) -> &[Vec<f64>] {
        &self.by_class
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.all.len()
    }

    /// The threshold of sets that hold the true class of a new image with a probability of at least
    /// `coverage`, on average over images of all classes.
    ///
    /// # Errors
    /// [`NumbersError::Rate`] unless the coverage is above 0 and below 1.
    pub fn threshold(&self, coverage: f64) -> Result<Threshold, NumbersError> {
        conformal_quantile(&self.all, coverage).map(Threshold::Marginal)
    }

    /// As [`threshold`](Self::threshold), on average over images of each class (Vovk, "Conditional Validity of
    /// Inductive Conformal Predictors", 2012).
    ///
    /// # Errors
    /// As [`threshold`](Self::threshold).
    pub fn thresholds_by_class(&self, coverage: f64) -> Result<Threshold, NumbersError> {
        let each = self.by_class.iter();
        let each = each.map(|scores| conformal_quantile(scores, coverage));
        each.collect::<Result<_, _>>().map(Threshold::ByClass)
    }
}
