//! Errors as Python's exceptions, with their messages.

use std::error::Error;

use promptsrc_cli::Failure;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Which of the package's exceptions an error is.
enum Kind {
    /// A file or the system: an `OSError` too.
    File,
    /// What was asked for, or what is in a file: a `ValueError` too.
    Value,
}

/// An error of the libraries, as the command would say it.
pub fn of(error: impl Error + 'static) -> PyErr {
    of_command(&Failure::from(error))
}

/// A command that did not succeed.
pub fn of_command(failure: &Failure) -> PyErr {
    let kind = match failure {
        Failure::File(_) => Kind::File,
        _ => Kind::Value,
    };
    exception(&kind, &failure.to_string())
}

/// An argument that makes no sense.
pub fn value(message: &str) -> PyErr {
    exception(&Kind::Value, message)
}

fn exception(kind: &Kind, message: &str) -> PyErr {
    let name = match kind {
        Kind::File => "FileError",
        Kind::Value => "InputError",
    };
    Python::attach(|py| {
        let made = || -> PyResult<PyErr> {
            let class = py.import("promptsrc._errors")?.getattr(name)?;
            let arguments = PyTuple::new(py, [message])?;
            Ok(PyErr::from_value(class.call1(arguments)?))
        };
        made().unwrap_or_else(|_| PyRuntimeError::new_err(message.to_string()))
    })
}
