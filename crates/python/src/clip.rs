//! A frozen CLIP.

use std::path::PathBuf;

use promptsrc::{ClipOptions, ImageBatches, PrecisionChoice, stop};
use promptsrc_clip::weights::WeightOptions;
use promptsrc_clip::{Activation, values};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::bytes;
use crate::calibration::Calibration;
use crate::classifier::Classifier;
use crate::errors;
use crate::images::{Given, items};
use crate::interruptible::interruptible;

/// A frozen CLIP that is open.
#[pyclass(frozen, module = "promptsrc._promptsrc")]
pub struct Clip {
    pub inner: promptsrc::Clip,
}

#[pymethods]
impl Clip {
    #[staticmethod]
    #[pyo3(signature = (spec, device, precision, activation=None, heads=None, image_size=None, prefix=None))]
    #[allow(
        clippy::too_many_arguments,
        reason = "the options of the command, by name in Python"
    )]
    fn open(
        py: Python<'_>,
        spec: &str,
        device: String,
        precision: &str,
        activation: Option<&str>,
        heads: Option<[usize; 2]>,
        image_size: Option<usize>,
        prefix: Option<String>,
    ) -> PyResult<Self> {
        let precision: PrecisionChoice = precision
            .parse()
            .map_err(|known: String| errors::value(&format!("precision {precision:?}: {known}")))?;
        let activation = match activation {
            None => None,
            Some("quick-gelu") => Some(Activation::QuickGelu),
            Some("gelu") => Some(Activation::Gelu),
            Some(other) => {
                let message = format!("activation {other:?}: quick-gelu or gelu");
                return Err(errors::value(&message));
            }
        };
        let options = ClipOptions {
            device,
            precision,
            weights: WeightOptions {
                activation,
                heads,
                image_size,
                prefix,
            },
        };
        let opened = interruptible(py, || {
            promptsrc::Clip::open_with(spec, &options, &mut |_| {})
        })?;
        let inner = opened.map_err(errors::of)?;
        Ok(Self { inner })
    }

    #[getter]
    fn source(&self) -> &str {
        self.inner.source()
    }

    #[getter]
    fn precision(&self) -> String {
        self.inner.precision().to_string()
    }

    #[getter]
    fn embed_dim(&self) -> usize {
        self.inner.config().embed_dim
    }

    #[getter]
    fn resolution(&self) -> usize {
        self.inner.config().vision.resolution
    }

    #[getter]
    fn logit_scale(&self) -> f32 {
        self.inner.logit_scale()
    }

    #[getter]
    fn fingerprint(&self) -> &str {
        &self.inner.record().fingerprint
    }

    #[getter]
    fn notes(&self) -> Vec<String> {
        self.inner.notes().to_vec()
    }

    /// Features `[images, embed_dim]` as bytes.
    fn encode_images<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Given>,
        upright: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let items = items(images, &[], upright)?;
        let clip = &self.inner;
        let features = interruptible(py, || {
            let mut features = Vec::new();
            for batch in ImageBatches::new(clip, items, 0)? {
                let batch = batch?;
                let images = clip.vision().images(batch.images, batch.n);
                features.extend(values(clip.image_features(images)));
                if stop::is_requested() {
                    break;
                }
            }
            Ok::<_, promptsrc::DataError>(features)
        })?;
        Ok(bytes(py, &features.map_err(errors::of)?))
    }

    /// Features `[texts, embed_dim]` as bytes.
    fn encode_texts<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        truncate: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if texts.is_empty() {
            return Ok(bytes(py, &[]));
        }
        let clip = &self.inner;
        let length = clip.text().context_length();
        let tokens = texts
            .iter()
            .map(|text| clip.tokenizer().tokenize(text, length, truncate))
            .collect::<Result<Vec<_>, _>>()
            .map_err(errors::of)?;
        let features = interruptible(py, || clip.text().encode(&tokens).map(values))?;
        Ok(bytes(py, &features.map_err(errors::of)?))
    }

    /// Zero-shot CLIP for these names.
    fn classifier(
        &self,
        py: Python<'_>,
        names: Vec<String>,
        templates: Vec<String>,
    ) -> PyResult<Classifier> {
        let clip = self.inner.clone();
        Classifier::make(py, clip, |clip| {
            promptsrc::Classifier::zero_shot(clip, &names, &templates)
        })
    }

    /// The calibration in a file, if it is of zero-shot CLIP for these names.
    fn calibration(
        &self,
        py: Python<'_>,
        file: PathBuf,
        names: Vec<String>,
        templates: Vec<String>,
    ) -> PyResult<Calibration> {
        Calibration::of_zero_shot(py, &file, &self.inner, &names, &templates)
    }
}
