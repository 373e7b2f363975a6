//! Arrays of numbers for Python.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Numbers as bytes in the machine's order, as NumPy reads them.
pub fn bytes<'py>(py: Python<'py>, values: &[f32]) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect();
    PyBytes::new(py, &bytes)
}
