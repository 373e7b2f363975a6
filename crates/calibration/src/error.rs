//! Numbers that nothing can be calibrated from.

/// Why numbers were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NumbersError {
    /// There are no images.
    #[error("there are no images")]
    Empty,
    /// A row without exactly one logit per class.
    #[error("{found} logits for an image, expected {expected}: one per class")]
    Length {
        /// Logits of the row.
        found: usize,
        /// Number of classes.
        expected: usize,
    },
    /// A number that is infinite or not a number.
    #[error("{what} is {value}, expected a finite number")]
    NotFinite {
        /// Which number.
        what: String,
        /// The number, as text.
        value: String,
    },
    /// A label that is not a class.
    #[error("the label {label}, but there are {classes} classes, counted from 0")]
    Label {
        /// The label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A coverage or rate that is not strictly between 0 and 1.
    #[error("a rate of {value}, expected a number above 0 and below 1, such as 0.95")]
    Rate {
        /// The number, as text.
        value: String,
    },
    /// A number that a setting cannot be.
    #[error("{what} is {value}, expected {expected}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// The number, as text.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// Scores of one kind only, which nothing can be told apart from.
    #[error("scores of {found} images only, expected some of known and some of unknown classes")]
    OneKind {
        /// The kind.
        found: &'static str,
    },
}

/// Fails unless a number is finite.
pub(crate) fn finite(what: &str, value: f64) -> Result<f64, NumbersError> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(NumbersError::NotFinite {
            what: what.to_string(),
            value: value.to_string(),
        }),
    }
}
