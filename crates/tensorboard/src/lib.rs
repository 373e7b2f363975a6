//! Scalars over steps as event files of TensorBoard.
//!
//! ```
//! use promptsrc_tensorboard::EventFile;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let mut file = EventFile::create(folder, 1_700_000_000.0)?;
//! file.begin(1, 1_700_000_000.0)?;
//! file.scalars(1, 1_700_000_000.5, [("loss/total", 1.25)])?;
//! # Ok(())
//! # }
//! ```

mod event_file;
pub mod messages;
mod record;

pub use event_file::{EventFile, EventFileError};
pub use record::{RecordError, record, records};
