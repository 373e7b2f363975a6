//! Data sets for few-shot prompt learning.
//!
//! From a folder, a published split or a list of files to batches:
//! [`DataSource::read`] gives a [`Dataset`], [`Dataset::few_shot`] a [`Subset`] of it, and
//! [`TrainLoader`] or [`EvalLoader`] its batches. [`CatalogueSet::open`] reads the 15 data sets of the paper
//! from a data set collection, and [`check`](check()) says which of them it has. Few-shot subsets
//! are the reference's, image by image: it draws them with Python's `random`, which
//! [`MersenneTwister`] reproduces.

mod augment;
mod cache_folder;
mod catalogue;
mod class_names;
mod classes;
mod content;
mod dataset;
mod datum;
mod divide;
mod drawing;
mod error;
mod few_shot;
mod few_shot_cache;
mod folders;
mod group;
mod hash_split;
mod item;
mod labels;
mod loader;
mod part;
mod presence;
mod random;
mod readable;
mod report;
mod same_name;
mod source;
mod split_file;
mod split_origin;
mod stream;
mod subset;
mod text;
mod walk;

pub use augment::Augment;
pub use cache_folder::CacheFolder;
pub use catalogue::{
    CATALOGUE, CatalogueSet, Download, FewShotFile, PartCheck, SetCheck, SetState, check,
};
pub use classes::{Classes, UnknownClasses};
pub use content::content_hashes;
pub use dataset::Dataset;
pub use drawing::Drawing;
pub use error::{DataError, NameList};
pub use few_shot::{FewShotPicks, few_shot};
pub use few_shot_cache::FewShotCache;
pub use hash_split::NOTE as DIVIDED;
pub use item::{Item, Presence};
pub use loader::{Batch, Batches, EvalLoader, LoaderOptions, TrainLoader};
pub use part::{Part, Parts, UnknownPart};
pub use random::MersenneTwister;
pub use readable::{unreadable, unreadable_warning};
pub use report::{Duplicate, PartReport, Report};
pub use same_name::{reading, same_names};
pub use source::DataSource;
pub use split_origin::{Split, SplitOrigin};
pub use stream::Stream;
pub use subset::{Images, Sample, ShortClass, Subset};
pub use walk::{FolderImages, images_below};
