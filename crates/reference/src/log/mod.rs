//! The `log.txt` of a run of the Python reference: its configuration and its last result.
//!
//! A log begins with the configuration that Dassl prints. That of a finished run ends with a block
//! like
//!
//! ```text
//! => result
//! * total: 4,200
//! * correct: 3,902
//! * accuracy: 92.9%
//! * error: 7.1%
//! * macro_f1: 92.8%
//! ```
//!
//! (`dassl/evaluation/evaluator.py`; published logs have one decimal, later versions two.) What the
//! log does not contain is taken from its path, as the reference's scripts name their folders.

mod error;
mod parse;
mod path;
mod read;
mod result;
mod walk;

pub use error::ReferenceLogError;
pub use parse::parse;
pub use read::read;
pub use result::ReferenceResult;
pub use walk::{ReferenceRuns, find, read_below};
