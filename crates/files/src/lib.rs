//! The files that promptsrc writes, whole or not at all, under a lock, and safetensors with a record; and
//! the bytes of large ones that it reads.

mod atomic_file;
mod file_bytes;
mod lock;
pub mod tensor_file;

pub use atomic_file::{SaveError, remove_leftovers, write_atomically};
pub use file_bytes::FileBytes;
pub use lock::Lock;
