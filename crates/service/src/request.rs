//! A request, as any of its forms says it.

use bytes::Bytes;

/// An image of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Upload {
    /// Its name, which the answer has too.
    pub name: String,
    /// The bytes of an image file.
    pub bytes: Bytes,
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
    /// Whether images that cannot be read are answered as such instead of failing the request.
    pub allow_unreadable: bool,
}
