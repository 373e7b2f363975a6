//! The failures of a command and their exit codes.

use std::fmt;

/// Exit code of a command that a signal has stopped and that can go on.
pub const STOPPED: u8 = 75;

/// A command that did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Wrong usage: exit code 2.
    Usage(String),
    /// Any other failure: exit code 1.
    Failed(String),
    /// One that the system gave the reason for, such as a missing file: exit code 1.
    File(String),
    /// Stopped by a signal, with everything saved that a later process needs to go on: exit code 75,
    /// which schedulers take for a reason to try again (`EX_TEMPFAIL`).
    Stopped(String),
    /// Standard output was closed by its reader.
    OutputClosed,
}

impl Failure {
    /// Wrong usage.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }

    /// Any other failure.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(message.to_string())
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Failed(_) | Failure::File(_) => 1,
            Failure::Stopped(_) => STOPPED,
            Failure::OutputClosed => 0,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(message)
            | Failure::Failed(message)
            | Failure::File(message)
            | Failure::Stopped(message) => f.write_str(message),
            Failure::OutputClosed => f.write_str("standard output was closed"),
        }
    }
}

/// Library errors have exit code 1; usage errors are created where the option is known.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let message = with_causes(&error);
        match is_of_system(&error) {
            true => Self::File(message),
            false => Self::Failed(message),
        }
    }
}

/// Whether the system has given the reason for an error.
fn is_of_system(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(this) = error {
        if this.is::<std::io::Error>() {
            return true;
        }
        error = this.source();
    }
    false
}

/// The message of an error, followed by the causes that it does not mention itself.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = inner.source();
    }
    message
}
