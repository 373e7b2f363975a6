//! The four benchmarks of the paper as resumable, divisible sweeps over data sets, methods and
//! seeds.
//!
//! [`Plan`] lists the runs of a [`Protocol`] over the data sets of a [`DatasetCollection`];
//! a [`Sweep`] makes those that are not finished, each in a folder of its own; [`collect`] reads
//! the results in these folders, and [`tables`] averages them as the paper does, beside the
//! published numbers.

mod accuracies;
mod collection;
mod column;
mod comparable;
mod comparison;
mod confidence_interval;
#[cfg(test)]
mod example_results;
mod facts;
pub mod jobs;
mod missing;
mod plan;
mod protocol;
mod published;
mod reference_groups;
mod reference_results;
mod render;
mod results;
mod run_state;
mod sweep;
mod sweep_error;
mod sweep_images;
mod table;
mod tables;

pub use collection::{
    CollectionError, DatasetCollection, DatasetEntry, DatasetSize, OpenedDataset, TransferRole,
};
pub use column::Column;
pub use comparable::TableError;
pub use facts::{Facts, ImageFacts};
pub use plan::{Choice, Plan, PlanError, PlannedRun};
pub use protocol::{Protocol, Target};
pub use published::{PAPER, PUBLISHED_FILE, add_published, published};
pub use reference_results::{ReferenceResults, collect_reference};
pub use render::{Format, render, render_seeds};
pub use results::{Configuration, Measured, RESULT, ResultError, RunId, RunResult, collect};
pub use run_state::RunState;
pub use sweep::{Sweep, SweepEvent};
pub use sweep_error::SweepError;
pub use table::{Cell, Made, Row, Table};
pub use tables::tables;
