//! Data sets for few-shot prompt learning.
//!
//! From a folder, a published split or a list of files to batches:
//! [`DataSource::read`] -> [`Dataset::few_shot`] -> [`Dataset::select`] -> [`Dataset::items`] ->
//! [`TrainLoader`] and [`EvalLoader`]. [`CatalogueSet::open`] reads the 15 data sets of the paper
//! from a data set collection, and [`check`](check()) says which of them it has. Few-shot subsets
//! are the reference's, image by image: it draws them with Python's `random`, which
//! [`MersenneTwister`] reproduces.

mod augment;
mod catalogue;
mod class_names;
mod classes;
mod dataset;
mod divide;
mod drawing;
mod error;
mod few_shot;
mod folders;
mod group;
mod item;
mod labels;
mod loader;
mod part;
mod presence;
mod random;
mod report;
mod selection;
mod source;
mod split_file;
mod stream;
mod text;

pub use augment::Augment;
pub use catalogue::{
    CATALOGUE, CatalogueSet, Download, FewShotFile, PartCheck, SetCheck, SetState, check,
};
pub use classes::{Classes, UnknownClasses};
pub use dataset::Dataset;
pub use drawing::Drawing;
pub use error::{DataError, NameList};
pub use few_shot::{FewShot, few_shot};
pub use item::{Item, Presence};
pub use loader::{Batch, Batches, EvalLoader, LoaderOptions, TrainLoader};
pub use part::{Part, UnknownPart};
pub use random::MersenneTwister;
pub use report::{Duplicate, PartReport, Report};
pub use selection::{Resolved, Sample, Selection};
pub use source::DataSource;
pub use stream::Stream;
