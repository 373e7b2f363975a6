//! What can be wrong with the features, the settings or the tensors that a head is made from.

/// Why a head could not be fitted, used or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HeadError {
    /// Nothing to learn from or to select with.
    #[error("the {what} have no rows; at least one is needed")]
    NoRows {
        /// Which features.
        what: &'static str,
    },
    /// Values are not whole rows, or not as many rows as there are labels.
    #[error("the {what} have {found} values where {expected}")]
    Length {
        /// Which features.
        what: &'static str,
        /// Number of values.
        found: usize,
        /// What was expected, in words.
        expected: String,
    },
    /// Features of different widths.
    #[error("the {what} have {found} numbers in a row; expected {expected}, as the others have")]
    Dim {
        /// Which features.
        what: &'static str,
        /// Width found.
        found: usize,
        /// Width of the other features.
        expected: usize,
    },
    /// A label that is no class.
    #[error(
        "row {row} of the {what} has label {label}; there are {classes} classes, counted from 0"
    )]
    Label {
        /// Which features.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A class of which the method needs a training row.
    #[error("class {class} has no training row; {method} needs one of every class")]
    EmptyClass {
        /// Class, from 0.
        class: usize,
        /// The method.
        method: &'static str,
    },
    /// A single class leaves nothing to tell apart.
    #[error("{found} classes; a linear probe needs at least 2")]
    FewClasses {
        /// Number of classes.
        found: usize,
    },
    /// An infinite value or NaN.
    #[error("row {row} of the {what} has the value {value}; features must be finite")]
    NotFinite {
        /// Which features.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// The value.
        value: f32,
    },
    /// A row without direction.
    #[error("row {row} of the {what} is zero and cannot be given unit length")]
    ZeroRow {
        /// Which features.
        what: &'static str,
        /// Row, from 0.
        row: usize,
    },
    /// Text features that the method takes as unit rows are none.
    #[error("row {row} of the {what} has length {norm}; this method takes rows of unit length")]
    NotUnit {
        /// Which features.
        what: &'static str,
        /// Row, from 0.
        row: usize,
        /// Its length.
        norm: f64,
    },
    /// A setting outside its range.
    #[error("{name} is {found}; expected {expected}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A search without anything to search on.
    #[error(
        "the linear probe searches C on validation features and was given none; give some, or set c"
    )]
    NoValidation,
    /// A batch order that does not fit the features.
    #[error("the batch order of epoch {epoch} {problem}")]
    Order {
        /// Epoch, from 0.
        epoch: usize,
        /// What is wrong.
        problem: String,
    },
    /// Training left the finite numbers.
    #[error("the loss of epoch {epoch} is not finite; a smaller learning rate may help")]
    Diverged {
        /// Epoch, from 1.
        epoch: usize,
    },
    /// The [`Observer`](crate::Observer) has said so.
    #[error("the fit was stopped before its end")]
    Stopped,
    /// A subset names a class that is not there, or twice.
    #[error("class {class} of the subset {problem}")]
    Subset {
        /// The class.
        class: usize,
        /// What is wrong.
        problem: String,
    },
    /// A tensor of the head is not there.
    #[error("no tensor {name:?}; the head has {expected}")]
    MissingTensor {
        /// Its name.
        name: &'static str,
        /// All names of the head.
        expected: String,
    },
    /// A tensor that the head does not have, or has already.
    #[error("tensor {name:?} is not one of this head's or is there twice; it has {expected}")]
    UnknownTensor {
        /// Its name.
        name: String,
        /// All names of the head.
        expected: String,
    },
    /// A tensor of another shape.
    #[error("tensor {name:?} has shape {found:?}; expected {expected}")]
    TensorShape {
        /// Its name.
        name: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What was expected.
        expected: String,
    },
    /// A tensor with a value that the head cannot have.
    #[error("tensor {name:?} has the value {found}; expected {expected}")]
    TensorValue {
        /// Its name.
        name: &'static str,
        /// The value.
        found: f32,
        /// What was expected.
        expected: &'static str,
    },
}
