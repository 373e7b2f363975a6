//! The commands as functions.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use promptsrc::{Dataset, Event};
use promptsrc_cli::{Failure, Host, Observer};
use pyo3::prelude::*;

use crate::clip::Clip;
use crate::errors;
use crate::images::{Given, items};
use crate::interruptible::interruptible;

/// Labelled images in memory: images, labels, class names, and a name for all.
type Labelled = (Vec<Given>, Vec<usize>, Vec<String>, String);

/// What a command prints as JSON, and its warnings. `observe` receives the events of a training as JSON.
#[pyfunction]
#[pyo3(signature = (arguments, clip=None, labelled=None, observe=None))]
pub fn answer(
    py: Python<'_>,
    arguments: Vec<OsString>,
    clip: Option<&Clip>,
    labelled: Option<Labelled>,
    observe: Option<Py<PyAny>>,
) -> PyResult<(String, Vec<String>)> {
    let raised: Arc<Mutex<Option<PyErr>>> = Arc::default();
    let host = Host {
        clip: clip.map(|clip| clip.inner.clone()),
        dataset: labelled.map(data_set).transpose()?,
        observe: observe.map(|observe| observer(observe, raised.clone())),
    };
    let of_data_sets = arguments.first().is_some_and(|command| command == "data");
    let arguments = std::iter::once(OsString::from("promptsrc"))
        .chain(arguments)
        .collect();
    let found = interruptible(py, || promptsrc_cli::answer(arguments, host))?;
    // What the observer raised comes first: it has stopped the command.
    let mut raised = raised
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(error) = raised.take() {
        promptsrc::stop::withdraw();
        return Err(error);
    }
    match found {
        Ok(answer) => Ok((answer.result, answer.warnings)),
        // A listing of data sets is an answer, also where some are not complete.
        Err((failure, mut answer)) if of_data_sets && !answer.result.is_empty() => {
            answer.warnings.push(failure.to_string());
            Ok((answer.result, answer.warnings))
        }
        Err((failure, _)) => Err(errors::of_command(&failure)),
    }
}

/// The command as a process, for the script that the package installs.
#[pyfunction]
pub fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| promptsrc_cli::run_as_process(arguments))
}

/// The number of threads of all arithmetic, before anything is computed.
#[pyfunction]
pub fn set_threads(threads: usize) -> PyResult<()> {
    promptsrc_cli::set_threads(threads).map_err(|failure: Failure| errors::of_command(&failure))
}

fn observer(observe: Py<PyAny>, raised: Arc<Mutex<Option<PyErr>>>) -> Arc<Mutex<Observer>> {
    Arc::new(Mutex::new(move |event: &Event| {
        let text = serde_json::to_string(event).unwrap_or_default();
        let called = Python::attach(|py| observe.call1(py, (text,)).map(|_| ()));
        if let Err(error) = called {
            let mut raised = raised
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            raised.get_or_insert(error);
            promptsrc::stop::request();
        }
    }))
}

fn data_set((images, labels, class_names, name): Labelled) -> PyResult<Dataset> {
    if images.len() != labels.len() {
        return Err(errors::value(&format!(
            "{} images, but {} labels",
            images.len(),
            labels.len()
        )));
    }
    if let Some(label) = labels.iter().find(|label| **label >= class_names.len()) {
        return Err(errors::value(&format!(
            "label {label}, but there are only {} class names",
            class_names.len()
        )));
    }
    let items = items(images, &labels, false)?;
    Ok(Dataset {
        name,
        class_names,
        // What is given is both learned from and evaluated on; the caller says which part.
        train: items.clone(),
        test: items,
        ..Dataset::default()
    })
}
