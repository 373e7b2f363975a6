//! What was learned for a CLIP.

use std::path::PathBuf;

use promptsrc::run_folder;
use pyo3::prelude::*;

use crate::calibration::Calibration;
use crate::classifier::Classifier;
use crate::clip::Clip;
use crate::errors;
use crate::interruptible::interruptible;

/// An adapter.
#[pyclass(frozen, module = "promptsrc._promptsrc")]
pub struct Adapter {
    inner: promptsrc::Adapter,
    path: PathBuf,
}

#[pymethods]
impl Adapter {
    /// Of a run folder or an adapter file.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let file = match path.is_dir() {
            true => path.join(run_folder::ADAPTER),
            false => path,
        };
        let loaded = interruptible(py, || promptsrc::Adapter::load(&file))?;
        Ok(Self {
            inner: loaded.map_err(errors::of)?,
            path: file,
        })
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// The record, as JSON.
    fn record(&self) -> PyResult<String> {
        serde_json::to_string(&self.inner.meta).map_err(errors::of)
    }

    /// Names and shapes of the parameters.
    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let parameters = self.inner.parameters.iter();
        parameters
            .map(|parameter| (parameter.name.clone(), parameter.shape.clone()))
            .collect()
    }

    /// The values of a parameter, flat, as bytes.
    fn values<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Bound<'py, pyo3::types::PyBytes>> {
        match self.inner.parameters.get(name) {
            Some(parameter) => Ok(crate::arrays::bytes(py, &parameter.values)),
            None => Err(errors::value(&format!("there is no parameter {name:?}"))),
        }
    }

    /// A classifier for these names.
    fn classifier(&self, py: Python<'_>, clip: &Clip, names: Vec<String>) -> PyResult<Classifier> {
        let adapter = &self.inner;
        Classifier::make(py, clip.inner.clone(), |clip| {
            Ok(adapter.classifier(clip, &names)?.cached_head(clip))
        })
    }

    /// The calibration beside its file, if it is for these names and this CLIP.
    fn calibration(
        &self,
        py: Python<'_>,
        clip: &Clip,
        names: Vec<String>,
    ) -> PyResult<Calibration> {
        Calibration::beside(py, &self.path, &self.inner, &clip.inner, &names)
    }
}
