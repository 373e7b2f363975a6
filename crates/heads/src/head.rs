//! What every head with a fixed list of classes can do.

use crate::error::HeadError;
use crate::features::check_rows;
use crate::tensors::NamedTensor;

/// A classifier of features, with the classes that it was fitted for.
pub trait Head: Sized {
    /// Number of classes.
    fn classes(&self) -> usize;

    /// Numbers in a row of features.
    fn dim(&self) -> usize;

    /// Logits `[rows, classes]` of features `[rows, dim]`, as CLIP gives them: not of unit length.
    ///
    /// # Errors
    /// For anything but one or more whole, finite rows that are not zero.
    fn logits(&self, features: &[f32]) -> Result<Vec<f32>, HeadError> {
        check_rows("features", features, self.dim())?;
        Ok(self.logits_of_checked(features))
    }

    /// Logits of features that have been checked.
    #[doc(hidden)]
    fn logits_of_checked(&self, features: &[f32]) -> Vec<f32>;

    /// All that the head is, as named tensors.
    fn tensors(&self) -> Vec<NamedTensor<'static>>;

    /// The head of such tensors.
    ///
    /// # Errors
    /// Where a tensor is missing, unknown, of another shape or not finite; the error names it.
    fn from_tensors(tensors: &[NamedTensor<'_>]) -> Result<Self, HeadError>;

    /// The head for some of its classes, in the order given. Its logits are those columns of the whole head's.
    ///
    /// # Errors
    /// For an empty list, a class that is not there or is there twice.
    fn subset(&self, classes: &[usize]) -> Result<Self, HeadError>;
}

/// Refuses a subset that names no class, one twice, or one that is not there.
pub(crate) fn check_subset(subset: &[usize], classes: usize) -> Result<(), HeadError> {
    if subset.is_empty() {
        return Err(HeadError::NoRows {
            what: "classes of the subset",
        });
    }
    let mut seen = vec![false; classes];
    for class in subset {
        let problem = match seen.get_mut(*class) {
            None => format!("is not there; the head has {classes}"),
            Some(true) => "is there twice".to_string(),
            Some(first) => {
                *first = true;
                continue;
            }
        };
        return Err(HeadError::Subset {
            class: *class,
            problem,
        });
    }
    Ok(())
}
