//! The 15 data sets of the paper, in the folders in which CoOp's documentation puts them.

mod aircraft;
mod annotation;
mod cars;
mod check;
mod class_folders;
mod entries;
mod find;
mod flowers;
mod generate;
mod imagenet;
mod listing;
mod mat;
mod open;
mod pets;
mod preprocessed;
mod set;
mod sun397;
mod ucf101;

pub use check::{FewShotFile, PartCheck, SetCheck, SetState, check};
pub use entries::CATALOGUE;
pub use set::{CatalogueSet, Download};
