//! Few-shot classifiers on the frozen features of CLIP: numbers in, numbers out.
//!
//! The methods that prompt learning is compared with, computed as the programs that gave their published numbers:
//! [`LinearProbe`], [`Prototypes`] (ZS-LP and CLAP), [`Lpp`] (LP++), [`TipAdapter`] (Tip-Adapter and Tip-Adapter-F) and
//! [`ClipAdapter`]. Features go in as CLIP gives them, not of unit length. Whatever is selected is selected on
//! validation features that the caller gives, also where a program looks at the test set.
//!
//! Nothing here knows CLIP, images, files or the terminal. Products are divided among the threads by rows, and no
//! number depends on how many there are; random numbers come from (seed, name) or (seed, epoch) alone.
//!
//! ```
//! use promptsrc_heads::{FewShot, Head, Prototypes, ClapSettings, Progress, TrainFeatures};
//!
//! let train = TrainFeatures {
//!     dim: 2,
//!     views: vec![vec![3.0, 0.1, 0.2, 2.0]],
//!     labels: vec![0, 1],
//! };
//! let data = FewShot {
//!     text_features: &[1.0, 0.5, 0.5, 1.0],
//!     train: &train,
//!     validation: None,
//!     logit_scale: 100.0,
//! };
//! let fitted = Prototypes::fit(&ClapSettings::zs_lp(), &data, 1, &mut |_: Progress| {})?;
//! let logits = fitted.head.logits(&[2.0, 0.0])?;
//! assert!(logits[0] > logits[1]);
//! # Ok::<(), promptsrc_heads::HeadError>(())
//! ```

mod accuracy;
mod adamw;
mod batch_order;
mod clap;
mod clip_adapter;
mod cross_entropy;
mod epochs;
mod error;
mod exponential;
mod features;
mod fitted;
mod head;
mod largest_eigenvalue;
mod lbfgs;
mod line_search;
mod linear_probe;
mod logistic;
mod lpp;
mod product;
mod sgd;
mod tensors;
mod tip_adapter;
mod tip_adapter_f;
mod tip_search;
mod unit;

pub use accuracy::right_rows;
pub use adamw::AdamWSettings;
pub use batch_order::{BatchOrder, Recorded, Shuffled};
pub use clap::{ClapSettings, ClapTraining, Constraint, PrototypeGradient, Prototypes};
pub use clip_adapter::{
    ClipAdapter, ClipAdapterGradient, ClipAdapterSettings, ClipAdapterTraining,
};
pub use error::HeadError;
pub use features::{Features, FewShot, TrainFeatures};
pub use fitted::{Fitted, Observer, Progress};
pub use head::Head;
pub use linear_probe::{LinearProbe, LinearProbeSettings, Solved, Visit};
pub use lpp::{Lpp, LppGradient, LppSettings, LppTraining};
pub use sgd::SgdSettings;
pub use tensors::NamedTensor;
pub use tip_adapter::{TipAdapter, TipAdapterSettings};
pub use tip_adapter_f::{KeyGradient, TipAdapterFSettings, TipAdapterTraining};
