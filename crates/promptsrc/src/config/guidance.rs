//! How KgCoOp and ProGrad keep what they learn near the frozen CLIP.

use serde::{Deserialize, Serialize};

/// How the frozen text features guide the training of a context. They are those of the
/// configuration's templates; both methods use the data set's own template alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Guidance {
    /// KgCoOp (Yao et al., CVPR 2023, equation 4): `weight * (1 - mean_k cos(w_k, w0_k))` is added to
    /// the cross-entropy, over the learned and the frozen text feature of each class.
    Knowledge {
        /// Weight of the loss.
        weight: f64,
    },
    /// ProGrad (Zhu et al., ICCV 2023, equations 4 and 5): where the gradient of the cross-entropy
    /// opposes that of the distance to the frozen CLIP's probabilities, the opposing part is removed.
    GradientProjection {
        /// Fraction of the opposing part that is removed.
        lambda: f64,
        /// Temperature of both probabilities.
        temperature: f64,
    },
}
