//! A request, as any of its forms says it.

use bytes::Bytes;
use promptsrc::calibration::{SetMethod, Wanted};

use crate::problem::Problem;

/// An image of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Upload {
    /// Its name, which the answer has too.
    pub name: String,
    /// The bytes of an image file.
    pub bytes: Bytes,
}

/// The kind of sets of this name.
///
/// # Errors
/// 422 if there is none.
pub(crate) fn set_method(name: &str) -> Result<SetMethod, Problem> {
    let method = name.trim().parse();
    method.map_err(|_| Problem::invalid("sets: expected lac, aps or raps"))
}

/// What is asked, before it is known whether it can be answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    pub images: Vec<Upload>,
    /// Class names; `None`: those of the model.
    pub names: Option<Vec<String>>,
    /// Texts to embed.
    pub texts: Vec<String>,
    /// Number of class names in the answer.
    pub top_k: Option<usize>,
    /// What is wanted of a calibration.
    pub wanted: Wanted,
    /// Whether images that cannot be read are answered as such instead of failing the request.
    pub allow_unreadable: bool,
    /// Fields with one value that a form or an address has given.
    pub given: Vec<&'static str>,
}
