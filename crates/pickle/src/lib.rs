//! Python pickles and `torch.save` archives, parsed and never executed.
//!
//! A pickle is a small program that Python runs to rebuild objects, and a hostile one can run
//! anything. Here the program only builds a tree of plain values: a class or function is a name
//! ([`Value::Global`]), a call is a record of what would have been called with which arguments
//! ([`Value::Object`]). Nothing is imported and nothing is called.
//!
//! - [`Pickle`] parses one pickle of protocol 0 to 5; [`Node`] walks its values.
//! - [`TorchFile`] opens what PyTorch saves (`torch.save`, TorchScript, and the format before
//!   PyTorch 1.6), names its tensors and reads them when they are asked for.
//! - [`torch_save`] writes plain values and tensors in that format, which PyTorch loads with
//!   `weights_only=True`.
//!
//! Work and memory are bounded by the size of the input: values are shared, not copied, so a
//! pickle that doubles a list thirty times costs thirty values. Values live in one arena, so
//! building and dropping deep nesting and cycles needs no recursion.
//!
//! ```
//! use promptsrc_pickle::Pickle;
//!
//! // pickle.dumps({"epoch": 3}, protocol=2)
//! let pickle = Pickle::parse(b"\x80\x02}q\x00X\x05\x00\x00\x00epochq\x01K\x03s.")?;
//! let epoch = pickle.root().get("epoch").and_then(|node| node.as_int());
//! assert_eq!(epoch, Some(3));
//! # Ok::<(), promptsrc_pickle::PickleError>(())
//! ```

mod danger;
mod error;
mod instructions;
mod literals;
mod reader;
mod torch;
mod unpickler;
mod value;

pub use danger::runs_code;
pub use error::{PickleError, PickleErrorKind};
pub use torch::{
    DType, Saved, SavedTensor, TensorInfo, TorchFile, TorchFileError, TorchFileKind,
    TorchSaveError, torch_save,
};
pub use value::{Construction, Node, Object, Pickle, Value, ValueId};
