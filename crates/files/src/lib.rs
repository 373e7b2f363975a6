//! The files that promptsrc writes, whole or not at all, under a lock, and safetensors with a record; and
//! the bytes of large ones that it reads.

mod atomic_file;
mod input_file;
mod json_bound;
mod lease;
mod lock;
mod regular;
pub mod tensor_file;

pub use atomic_file::{AtomicFile, SaveError, remove_leftovers, write_atomically};
pub use input_file::{InputFile, InputReader};
pub use json_bound::{bounded_json, read_regular_json};
pub use lock::{Lock, refuse_link};
pub use regular::{LARGEST_TENSORS, LARGEST_TEXT, open_regular, read_regular, read_regular_text};
