//! Data sets for few-shot prompt learning.
//!
//! From a folder, a published split or a list of files to batches of numbers:
//! [`DataSource::read`] -> [`Dataset::few_shot`] -> [`Dataset::select`] -> [`Dataset::items`] ->
//! [`TrainLoader`] and [`EvalLoader`]. The 15 data sets of the paper are read by
//! [`CatalogueSet::open`], and [`check`](check()) says what of them is there. The few-shot picks are the reference's own, image by
//! image: it draws them with Python's `random`, which [`MersenneTwister`] reproduces.

mod augment;
mod catalogue;
mod classes;
mod dataset;
mod drawing;
mod error;
mod few_shot;
mod loader;
mod presence;
mod random;
mod report;
mod source;

pub use augment::{Augment, Stream};
pub use catalogue::{
    CATALOGUE, CatalogueSet, Download, FewShotFile, PartCheck, SetCheck, SetState, check,
};
pub use classes::{Classes, Sample, Selection};
pub use dataset::{Dataset, Item, Part, Presence, Resolved};
pub use drawing::Drawing;
pub use error::{DataError, NameList};
pub use few_shot::{FewShot, few_shot};
pub use loader::{Batch, Batches, EvalLoader, LoaderOptions, TrainLoader};
pub use random::MersenneTwister;
pub use report::{Duplicate, PartReport, Report};
pub use source::DataSource;
