//! The calibration of an adapter, or of zero-shot CLIP.

use std::path::Path;

use promptsrc::calibration::{CalibrationSubject, SetMethod, Wanted};
use pyo3::prelude::*;

use crate::errors;
use crate::interruptible::interruptible;

/// A calibration that was made for a classifier.
#[pyclass(frozen, module = "promptsrc._promptsrc")]
pub struct Calibration {
    inner: promptsrc::Calibration,
}

/// What is said of an image: probabilities, the classes of the set, and whether the class is unknown, by which score and
/// threshold.
type Answered = (Vec<f32>, Option<Vec<usize>>, Option<(bool, f64, f64)>);

impl Calibration {
    /// The calibration beside the file of an adapter, if it is for these names and this CLIP.
    ///
    /// # Errors
    /// Why it cannot be used, as a Python exception.
    pub fn beside(
        py: Python<'_>,
        file: &Path,
        adapter: &promptsrc::Adapter,
        clip: &promptsrc::Clip,
        names: &[String],
    ) -> PyResult<Self> {
        let found = interruptible(py, || {
            let path = promptsrc::Calibration::path_beside(file);
            let inner = promptsrc::Calibration::load(&path)?;
            let subject = CalibrationSubject::of_adapter(file, &adapter.meta, clip, names)?;
            inner.check_for(&subject)?;
            Ok::<_, promptsrc::CalibrationError>(inner)
        })?;
        let inner = found.map_err(errors::of)?;
        Ok(Self { inner })
    }

    /// The calibration in a file, if it is of zero-shot CLIP with these names and templates.
    ///
    /// # Errors
    /// Why it cannot be used, as a Python exception.
    pub fn of_zero_shot(
        py: Python<'_>,
        file: &Path,
        clip: &promptsrc::Clip,
        names: &[String],
        templates: &[String],
    ) -> PyResult<Self> {
        let found = interruptible(py, || {
            let inner = promptsrc::Calibration::load(file)?;
            inner.check_for(&CalibrationSubject::zero_shot(clip, names, templates))?;
            Ok::<_, promptsrc::CalibrationError>(inner)
        })?;
        let inner = found.map_err(errors::of)?;
        Ok(Self { inner })
    }
}

#[pymethods]
impl Calibration {
    /// The record, as JSON.
    fn record(&self) -> PyResult<String> {
        serde_json::to_string(self.inner.record()).map_err(errors::of)
    }

    /// What the user should know of what is wanted.
    #[pyo3(signature = (coverage, sets, unknown))]
    fn notes(
        &self,
        coverage: Option<f64>,
        sets: Option<&str>,
        unknown: bool,
    ) -> PyResult<Vec<String>> {
        let wanted = wanted(coverage, sets, unknown)?;
        self.inner.notes(&wanted).map_err(errors::of)
    }

    /// What is said of an image with these logits.
    #[pyo3(signature = (logits, coverage, sets, unknown))]
    fn answer(
        &self,
        logits: Vec<f32>,
        coverage: Option<f64>,
        sets: Option<&str>,
        unknown: bool,
    ) -> PyResult<Answered> {
        let wanted = wanted(coverage, sets, unknown)?;
        let answer = self.inner.answer(&logits, &wanted).map_err(errors::of)?;
        let unknown = answer.unknown;
        Ok((
            answer.probabilities,
            answer.set,
            unknown.map(|of| (of.unknown, of.score, of.threshold)),
        ))
    }
}

fn wanted(coverage: Option<f64>, sets: Option<&str>, unknown: bool) -> PyResult<Wanted> {
    let sets: Option<SetMethod> = sets.map(str::parse).transpose().map_err(errors::of)?;
    Ok(Wanted {
        coverage,
        sets,
        unknown,
    })
}
