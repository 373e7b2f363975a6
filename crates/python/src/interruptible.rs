//! Work without the interpreter's lock, which Ctrl-C stops at its next step.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use promptsrc::stop;
use pyo3::prelude::*;

/// Between two looks for a signal.
const LOOK: Duration = Duration::from_millis(50);

/// Does the work on a thread of its own; other threads of Python go on meanwhile. If a signal's handler
/// raises, the work is asked to stop, and the exception is raised when it has.
pub fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let (result, raised) = py.detach(|| {
        std::thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            let worker = scope.spawn(move || {
                // Dropped however the work ends.
                let _done = done;
                work()
            });
            let mut raised = None;
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
                if raised.is_none()
                    && let Err(error) = Python::attach(|py| py.check_signals())
                {
                    raised = Some(error);
                    stop::request();
                }
            }
            (worker.join(), raised)
        })
    });
    if let Some(error) = raised {
        stop::withdraw();
        return Err(error);
    }
    match result {
        Ok(value) => Ok(value),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
