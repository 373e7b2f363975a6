//! What ends a measurement without a result.

/// Any error, for the last line on standard error.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
