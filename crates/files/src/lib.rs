//! The files that promptsrc writes: whole or not at all, under a lock, and safetensors with a record.

mod atomic_file;
mod lock;
pub mod tensor_file;

pub use atomic_file::{SaveError, remove_leftovers, write_atomically};
pub use lock::Lock;
