//! Features as the caller has them, and the checks that they pass before anything is computed.

use crate::batch_order::gather;
use crate::error::HeadError;
use crate::unit::norm;

/// Features of images with their classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Numbers in a row.
    pub dim: usize,
    /// `[rows, dim]`, as CLIP gives them: **not** of unit length.
    pub values: Vec<f32>,
    /// The class of each row, from 0.
    pub labels: Vec<usize>,
}

/// Features of the training images, in one or more passes over the same images in the same order.
///
/// A pass after the first differs by its random crops and flips. What a method does with several passes is said
/// where it is fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainFeatures {
    /// Numbers in a row.
    pub dim: usize,
    /// For each pass `[rows, dim]`, as CLIP gives them: **not** of unit length.
    pub views: Vec<Vec<f32>>,
    /// The class of each row, from 0; the same in each pass.
    pub labels: Vec<usize>,
}

impl Features {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn check(
        &self,
        what: &'static str,
        dim: usize,
        classes: usize,
    ) -> Result<(), HeadError> {
        check_labels(what, &self.labels, classes)?;
        check_values(what, &self.values, self.dim, dim, self.labels.len())
    }
}

impl TrainFeatures {
    /// Number of images: rows of each pass.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Number of passes.
    pub fn passes(&self) -> usize {
        self.views.len()
    }

    pub(crate) fn check(&self, dim: usize, classes: usize) -> Result<(), HeadError> {
        let what = "training features";
        check_labels(what, &self.labels, classes)?;
        if self.views.is_empty() {
            return Err(HeadError::NoRows { what });
        }
        for view in &self.views {
            check_values(what, view, self.dim, dim, self.labels.len())?;
        }
        Ok(())
    }

    /// The first class without a row, as an error of the method that needs one of each.
    pub(crate) fn every_class(
        &self,
        classes: usize,
        method: &'static str,
    ) -> Result<(), HeadError> {
        let mut rows = vec![0usize; classes];
        for label in &self.labels {
            rows[*label] += 1;
        }
        match rows.iter().position(|n| *n == 0) {
            Some(class) => Err(HeadError::EmptyClass { class, method }),
            None => Ok(()),
        }
    }

    /// Rows `[batch, dim]` and labels of a batch, in the pass of an epoch.
    pub(crate) fn batch(&self, epoch: usize, batch: &[usize]) -> (Vec<f32>, Vec<usize>) {
        let labels = batch.iter().map(|row| self.labels[*row]);
        (gather(self.view(epoch), self.dim, batch), labels.collect())
    }

    pub(crate) fn view(&self, index: usize) -> &[f32] {
        &self.views[index % self.views.len()]
    }
}

/// What a method that starts from texts learns from.
#[derive(Clone, Copy, Debug)]
pub struct FewShot<'a> {
    /// `[classes, dim]`: a text feature for each class. The method says whether they have unit length.
    pub text_features: &'a [f32],
    /// Training features.
    pub train: &'a TrainFeatures,
    /// Features to select on; never those that the result is reported on.
    pub validation: Option<&'a Features>,
    /// CLIP's factor of cosines, 100 for the published models.
    pub logit_scale: f32,
}

impl FewShot<'_> {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.text_features.len() / self.train.dim.max(1)
    }

    pub(crate) fn check(&self) -> Result<(), HeadError> {
        let dim = self.train.dim;
        check_rows("text features", self.text_features, dim)?;
        check_scale(self.logit_scale)?;
        self.train.check(dim, self.classes())?;
        match self.validation {
            Some(features) => features.check("validation features", dim, self.classes()),
            None => Ok(()),
        }
    }
}

pub(crate) fn check_scale(logit_scale: f32) -> Result<(), HeadError> {
    if logit_scale.is_finite() && logit_scale > 0.0 {
        return Ok(());
    }
    Err(HeadError::Setting {
        name: "logit_scale",
        found: logit_scale.to_string(),
        expected: "a finite number above 0",
    })
}

/// One or more whole rows of finite numbers that are not all zero.
pub(crate) fn check_rows(what: &'static str, values: &[f32], dim: usize) -> Result<(), HeadError> {
    if values.is_empty() {
        return Err(HeadError::NoRows { what });
    }
    if dim == 0 || !values.len().is_multiple_of(dim) {
        return Err(HeadError::Length {
            what,
            found: values.len(),
            expected: format!("whole rows of {dim} were expected"),
        });
    }
    for (row, values) in values.chunks_exact(dim).enumerate() {
        if let Some(value) = values.iter().find(|v| !v.is_finite()) {
            return Err(HeadError::NotFinite {
                what,
                row,
                value: *value,
            });
        }
        let norm = norm(values);
        if norm == 0.0 {
            return Err(HeadError::ZeroRow { what, row });
        }
    }
    Ok(())
}

/// Rows of unit length, within what rounding (f16 included) explains.
pub(crate) fn check_unit(what: &'static str, values: &[f32], dim: usize) -> Result<(), HeadError> {
    for (row, values) in values.chunks_exact(dim).enumerate() {
        let norm = norm(values);
        if (norm - 1.0).abs() > 1e-2 {
            return Err(HeadError::NotUnit { what, row, norm });
        }
    }
    Ok(())
}

fn check_values(
    what: &'static str,
    values: &[f32],
    dim: usize,
    expected_dim: usize,
    rows: usize,
) -> Result<(), HeadError> {
    if dim != expected_dim {
        return Err(HeadError::Dim {
            what,
            found: dim,
            expected: expected_dim,
        });
    }
    if rows.checked_mul(dim) != Some(values.len()) {
        return Err(HeadError::Length {
            what,
            found: values.len(),
            expected: format!("{rows} labels and {dim} numbers in a row were given"),
        });
    }
    check_rows(what, values, dim)
}

fn check_labels(what: &'static str, labels: &[usize], classes: usize) -> Result<(), HeadError> {
    if labels.is_empty() {
        return Err(HeadError::NoRows { what });
    }
    match labels.iter().position(|label| *label >= classes) {
        Some(row) => Err(HeadError::Label {
            what,
            row,
            label: labels[row],
            classes,
        }),
        None => Ok(()),
    }
}

/// A batch: one or more whole, finite rows and a label for each.
pub(crate) fn check_batch(
    rows: &[f32],
    labels: &[usize],
    dim: usize,
    classes: usize,
) -> Result<(), HeadError> {
    check_labels("batch", labels, classes)?;
    check_values("batch", rows, dim, dim, labels.len())
}
