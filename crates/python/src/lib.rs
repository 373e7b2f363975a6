//! The native half of the Python package `promptsrc`: CLIPs, adapters and classifiers as objects, and
//! every command as a function. Arrays cross as bytes; `python/promptsrc` makes NumPy arrays of them.

mod adapter;
mod arrays;
mod calibration;
mod classifier;
mod clip;
mod command;
mod errors;
mod images;
mod interruptible;

use pyo3::prelude::*;

// As in the command: the autodiff engine allocates and frees many buffers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule]
fn _promptsrc(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<clip::Clip>()?;
    module.add_class::<adapter::Adapter>()?;
    module.add_class::<classifier::Classifier>()?;
    module.add_class::<calibration::Calibration>()?;
    module.add_function(wrap_pyfunction!(command::answer, module)?)?;
    module.add_function(wrap_pyfunction!(command::main, module)?)?;
    module.add_function(wrap_pyfunction!(command::set_threads, module)?)?;
    Ok(())
}
