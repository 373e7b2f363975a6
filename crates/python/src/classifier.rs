//! A classifier of images among class names.

use std::sync::Mutex;

use promptsrc::ClassifierError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use self_cell::self_cell;

use crate::arrays::bytes;
use crate::errors;
use crate::images::{Given, items};
use crate::interruptible::interruptible;

type OfClip<'a> = promptsrc::Classifier<'a>;

self_cell!(
    /// A classifier with the CLIP that it refers to.
    struct Owned {
        owner: promptsrc::Clip,
        #[covariant]
        dependent: OfClip,
    }
);

/// A classifier for a list of names.
#[pyclass(frozen, module = "promptsrc._promptsrc")]
pub struct Classifier {
    names: Vec<String>,
    // One classification at a time: it uses all cores.
    owned: Mutex<Owned>,
}

impl Classifier {
    /// Makes a classifier of a CLIP.
    ///
    /// # Errors
    /// What is wrong with the names, as a Python exception.
    pub fn make(
        py: Python<'_>,
        clip: promptsrc::Clip,
        make: impl for<'a> FnOnce(&'a promptsrc::Clip) -> Result<OfClip<'a>, ClassifierError> + Send,
    ) -> PyResult<Self> {
        let made = interruptible(py, || Owned::try_new(clip, make))?;
        let owned = made.map_err(errors::of)?;
        Ok(Self {
            names: owned.borrow_dependent().names().to_vec(),
            owned: Mutex::new(owned),
        })
    }
}

#[pymethods]
impl Classifier {
    #[getter]
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// Probabilities `[images, classes]` as bytes.
    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Given>,
        upright: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.rows(py, images, upright, |prediction| prediction.probabilities)
    }

    /// Logits `[images, classes]` as bytes.
    fn logits<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Given>,
        upright: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.rows(py, images, upright, |prediction| prediction.logits)
    }
}

impl Classifier {
    /// A row of numbers for each image, as bytes.
    fn rows<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Given>,
        upright: bool,
        row: fn(promptsrc::Prediction) -> Vec<f32>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let items = items(images, &[], upright)?;
        let found = interruptible(py, || {
            let owned = (self.owned.lock()).unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut rows = Vec::new();
            let mut failed = Vec::new();
            let done =
                owned
                    .borrow_dependent()
                    .predict_each(items, 0, &mut |result| match result {
                        Ok(prediction) => rows.extend(row(prediction)),
                        Err((_, error)) => failed.push(error),
                    });
            match (done, failed.is_empty()) {
                (Ok(()), true) => Ok(rows),
                (Ok(()), false) => Err(promptsrc::DataError::Images(failed).into()),
                (Err(error), _) => Err(error),
            }
        })?;
        Ok(bytes(py, &found.map_err(errors::of)?))
    }
}
