//! The logits of images whose classes are known.

use crate::error::NumbersError;

/// Rows of logits `[images, classes]` with the class of each image. Every logit is finite and every label
/// is a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelledLogits {
    classes: usize,
    labels: Vec<usize>,
    values: Vec<f32>,
}

impl LabelledLogits {
    /// No images yet.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            ..Self::default()
        }
    }

    /// Adds an image.
    ///
    /// # Errors
    /// [`NumbersError`] if the label is not a class, or the row does not have one finite logit per class.
    /// The image is then not added.
    pub fn push(&mut self, label: usize, row: &[f32]) -> Result<(), NumbersError> {
        let classes = self.classes;
        check_row(row, classes)?;
        if label >= classes {
            return Err(NumbersError::Label { label, classes });
        }
        self.labels.push(label);
        self.values.extend_from_slice(row);
        Ok(())
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The classes of the images.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Each image's class and its logits.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let rows = self.values.chunks_exact(self.classes.max(1));
        self.labels.iter().copied().zip(rows)
    }

    /// The images at these places; places beyond the last are skipped.
    pub fn select(&self, places: impl IntoIterator<Item = usize>) -> Self {
        let mut selected = Self::new(self.classes);
        for place in places {
            let start = place.saturating_mul(self.classes);
            let row = self.values.get(start..start.saturating_add(self.classes));
            if let (Some(label), Some(row)) = (self.labels.get(place), row) {
                selected.labels.push(*label);
                selected.values.extend_from_slice(row);
            }
        }
        selected
    }
}

/// Fails unless a row has one finite logit per class.
pub(crate) fn check_row(row: &[f32], classes: usize) -> Result<(), NumbersError> {
    if row.len() != classes {
        return Err(NumbersError::Length {
            found: row.len(),
            expected: classes,
        });
    }
    match row.iter().position(|value| !value.is_finite()) {
        Some(class) => Err(NumbersError::NotFinite {
            what: format!("the logit of class {class}"),
            value: row[class].to_string(),
        }),
        None => Ok(()),
    }
}
