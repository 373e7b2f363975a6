//! The file formats of PyTorch, and what they have in common.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use crate::value::Pickle;

/// Which of PyTorch's formats a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TorchFileKind {
    /// `torch.save` since PyTorch 1.6: a zip archive of one pickle and raw storages.
    Archive,
    /// `torch.jit.save`: such an archive with the module's code beside it.
    TorchScript,
    /// `torch.save` before PyTorch 1.6: pickles, then raw storages, one after the other.
    Legacy,
}

impl fmt::Display for TorchFileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TorchFileKind::Archive => "torch.save archive",
            TorchFileKind::TorchScript => "TorchScript archive",
            TorchFileKind::Legacy => "torch.save file in the format before PyTorch 1.6",
        })
    }
}

/// What a file of any format consists of.
pub(super) struct Parts {
    pub(super) kind: TorchFileKind,
    pub(super) pickle: Pickle,
    pub(super) storages: HashMap<String, Range<usize>>,
}
