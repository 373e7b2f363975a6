//! The reference's numbers ("goldens") and how the parity tests read and compare them.
//!
//! A small set is committed in this crate's `data` folder. The variable `PROMPTSRC_GOLDENS=DIR`
//! points every parity test at another folder of the same layout; nothing here assumes a shape, a
//! class name or a case name. This crate is for tests only, so it panics with the file's name
//! where a golden is not as promised.

mod folder;
mod group;
mod noise;
mod tensors;
mod tolerance;
mod values;

pub use folder::{cases, dir, has, is_committed, json, list, path};
pub use group::Group;
pub use noise::{noise, noise_stream, relative_distance};
pub use tensors::{Tensor, Tensors};
pub use tolerance::{Quantity, Step, stated, tabled, tolerance};
pub use values::{number, numbers, strings};
