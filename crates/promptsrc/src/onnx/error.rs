//! What can keep a model from being exported.

use std::path::PathBuf;

use promptsrc_clip::WeightError;
use promptsrc_files::SaveError;

use crate::class_texts::ClassTextError;
use crate::classifier::ClassifierError;

/// An export that failed.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The class features are others for each image.
    #[error(
        "the method {method} computes the class features anew for each image, with the text tower in \
         each prediction, so that there is no matrix of class features to export; `promptsrc predict` \
         serves it, and a method whose class features are the same for all images (coop, kgcoop, \
         promptsrc, ...) can be exported"
    )]
    Conditioned {
        /// The method.
        method: String,
    },
    /// The file has another name than an ONNX model.
    #[error("{}: the name of an ONNX model ends in .onnx", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The classifier cannot be made.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// Class names that the frozen CLIP cannot embed.
    #[error(transparent)]
    Names(#[from] ClassTextError),
    /// Class features that are not finite.
    #[error("the class features contain {value}: they overflow in the precision {precision}")]
    NotFinite {
        /// The number.
        value: f32,
        /// The precision that they were computed in.
        precision: String,
    },
    /// The weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// A weight does not fit its place in the model.
    #[error("{0}")]
    Model(String),
    /// A file cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
}
